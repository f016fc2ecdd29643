"""Registering certificates, proving that they are registered, and checking any of them."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from lenswatch.attest import register
from lenswatch.attest.certificate import (
    CERTIFICATE,
    REVOCATION,
    certificate_digest,
    check_certificate,
)
from lenswatch.attest.envelope import Opened, Refused, open_sealed, public_key_from
from lenswatch.attest.merkle import leaf_hash
from lenswatch_api.access_log import record_access
from lenswatch_api.authorization import Principal
from lenswatch_api.certificates import repository
from lenswatch_api.certificates.schemas import (
    Answer,
    Certificate,
    CertificateStatement,
    Checkpoint,
    ConsistencyProof,
    EarlierCheckpoint,
    InclusionProof,
    Kind,
    Question,
    Refusal,
)
from lenswatch_api.database import Database
from lenswatch_api.identifiers import new_id, now
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.problems import ApiProblem
from lenswatch_api.tables import Certificate as Row

_KINDS = {CERTIFICATE: Kind.CERTIFICATE, REVOCATION: Kind.REVOCATION}


def add(database: Database, principal: Principal, statement: str) -> Certificate:
    """Put a signed statement at the end of the register; one that is there already stays where
    it is. Raises ApiProblem 422 for a statement that is not whole, or states something else.
    """
    raw = _bytes(statement)
    try:
        opened = open_sealed(raw)
    except Refused as refused:
        raise _refused(refused.refusal.message) from None
    kind = _KINDS.get(opened.kind)
    if kind is None:
        raise _refused("It is signed, but neither a certificate nor a revocation.")
    _schema_parts(opened)  # a statement that lacks its parts is refused here, not at every reading

    def make(session: Session) -> Row:
        known = repository.find_by_digest(session, principal.tenant_id, certificate_digest(raw))
        if known is not None:
            return known
        row = Row(
            id=new_id("cer"),
            tenant_id=principal.tenant_id,
            position=repository.size(session, principal.tenant_id),
            digest=certificate_digest(raw),
            statement=raw,
            leaf=leaf_hash(raw).hex(),
            kind=kind.value,
            added_at=now(),
        )
        session.add(row)
        session.flush()
        record_access(session, principal, "register-certificate", row.id)
        return row

    return _schema(database.write_once(make))


def read(database: Database, principal: Principal, certificate_id: str) -> Certificate:
    """One entry; raises ApiProblem 404."""
    with database.read() as session:
        return _schema(_require(session, principal, certificate_id))


def read_page(database: Database, principal: Principal, query: PageQuery) -> Page[Certificate]:
    """Newest first."""
    with database.read() as session:
        rows, following = repository.page(session, principal.tenant_id, query)
    return Page(items=[_schema(row) for row in rows], next=following)


def read_statement(
    database: Database, principal: Principal, certificate_id: str
) -> CertificateStatement:
    """An entry byte for byte; raises ApiProblem 404."""
    with database.read() as session:
        row = _require(session, principal, certificate_id)
    return CertificateStatement(statement=row.statement.decode())


def checkpoint(database: Database, principal: Principal) -> Checkpoint:
    """The register as it is now."""
    with database.read() as session:
        head = register.head_of(repository.leaves(session, principal.tenant_id))
    return Checkpoint(size=head.size, root=head.root.hex())


def prove_inclusion(
    database: Database, principal: Principal, certificate_id: str
) -> InclusionProof:
    """That an entry is in the register; raises ApiProblem 404."""
    with database.read() as session:
        row = _require(session, principal, certificate_id)
        hashes = repository.leaves(session, principal.tenant_id)
    return InclusionProof.model_validate(register.inclusion(hashes, row.position))


def prove_consistency(
    database: Database, principal: Principal, earlier: EarlierCheckpoint
) -> ConsistencyProof:
    """That the register continues an earlier one.

    Raises ApiProblem 409 where it does not: something was taken out or changed, or the checkpoint
    is of another register.
    """
    since = register.Head(earlier.size, bytes.fromhex(earlier.root))
    with database.read() as session:
        hashes = repository.leaves(session, principal.tenant_id)
    if since.size > len(hashes) or register.head_of(hashes[: since.size]) != since:
        raise ApiProblem(
            409,
            "The register does not continue this checkpoint. Keep the checkpoint: it shows that "
            "something was changed or taken out, or that it is of another register.",
        )
    return ConsistencyProof.model_validate(register.consistency(hashes, since))


def check(database: Database, principal: Principal, question: Question) -> Answer:
    """Every reason against a certificate; raises ApiProblem 422 for a key that is none."""
    key = None
    if question.public_key is not None:
        try:
            key = public_key_from(question.public_key.encode())
        except ValueError:
            raise ApiProblem(
                422,
                "This is no public key in PEM; `openssl pkey -in KEY -pubout` writes one.",
                location="body.public_key",
            ) from None
    raw = _bytes(question.statement)
    with database.read() as session:
        revoked = repository.revocations(session, principal.tenant_id)
        known = repository.find_by_digest(session, principal.tenant_id, certificate_digest(raw))
    found = check_certificate(
        raw,
        key=key,
        at=question.at,
        revocations=revoked,
        device_digest=question.device_digest or "",
    )
    return Answer(
        holds=not found.refusals,
        refusals=[Refusal(reason=r.reason, message=r.message) for r in found.refusals],
        unchecked=list(found.unchecked),
        digest=found.digest,
        key_id=None if found.opened is None else found.opened.key_id,
        subject=None if found.opened is None else str(found.opened.statement["subject"][0]["name"]),
        registered=known is not None,
    )


def _bytes(statement: str) -> bytes:
    try:
        return statement.encode()
    except UnicodeEncodeError:
        raise _refused("It is no text in UTF-8.") from None


def _refused(message: str) -> ApiProblem:
    return ApiProblem(422, message, kind="certificate-refused", location="body.statement")


def _require(session: Session, principal: Principal, certificate_id: str) -> Row:
    row = repository.find(session, principal.tenant_id, certificate_id)
    if row is None:
        raise ApiProblem(404, "The register has no entry with this id.")
    return row


def _schema_parts(opened: Opened) -> dict[str, Any]:
    try:
        subject = opened.statement["subject"][0]
        stated = opened.predicate
        return {
            "key_id": opened.key_id,
            "subject": str(subject["name"])[:500],
            "subject_digest": str(subject["digest"]["sha256"]),
            "issued": None if stated.get("issued") is None else str(stated["issued"])[:40],
            "expires": None if stated.get("expires") is None else str(stated["expires"])[:40],
        }
    except (KeyError, IndexError, TypeError, AttributeError):
        raise _refused("It is signed, but does not hold what it must.") from None


def _schema(row: Row) -> Certificate:
    return Certificate(
        id=row.id,
        position=row.position,
        kind=Kind(row.kind),
        digest=row.digest,
        added_at=row.added_at,
        **_schema_parts(open_sealed(row.statement)),
    )
