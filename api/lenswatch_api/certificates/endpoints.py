"""``/certificates`` and ``/register``."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from lenswatch_api.authentication import requires
from lenswatch_api.authorization import Principal, Scope
from lenswatch_api.certificates import service
from lenswatch_api.certificates.schemas import (
    Answer,
    Certificate,
    CertificateStatement,
    Checkpoint,
    ConsistencyProof,
    EarlierCheckpoint,
    InclusionProof,
    NewCertificate,
    Question,
)
from lenswatch_api.conditional import NOT_MODIFIED, Condition
from lenswatch_api.dependencies import State
from lenswatch_api.paging import Page, PageQuery
from lenswatch_api.parameters import CertificateId
from lenswatch_api.problems import JSON_BODY, errors

router = APIRouter(tags=["certificates"])

Reader = Annotated[Principal, requires(Scope.CERTIFICATES_READ)]
Writer = Annotated[Principal, requires(Scope.CERTIFICATES_WRITE)]


@router.post("/certificates", status_code=201, responses=errors(*JSON_BODY))
def add_certificate(state: State, principal: Writer, wanted: NewCertificate) -> Certificate:
    """Register a certificate or a revocation; sent again, it stays where it is."""
    return service.add(state.database, principal, wanted.statement)


@router.get("/certificates", responses=errors())
def list_certificates(
    state: State, principal: Reader, query: Annotated[PageQuery, Query()]
) -> Page[Certificate]:
    """List the entries of the register, newest first."""
    return service.read_page(state.database, principal, query)


@router.post("/certificate-check", responses=errors(*JSON_BODY))
def check_certificate(state: State, principal: Reader, question: Question) -> Answer:
    """Check a certificate: whole, signed, in its period, not revoked here. Nothing is kept."""
    return service.check(state.database, principal, question)


@router.get("/certificates/{certificate_id}", responses={**NOT_MODIFIED, **errors(404)})
def get_certificate(
    state: State, principal: Reader, certificate_id: CertificateId, condition: Condition
) -> Certificate:
    """Read one entry of the register."""
    found = service.read(state.database, principal, certificate_id)
    condition.unless_same(found)
    return found


@router.get("/certificates/{certificate_id}/statement", responses={**NOT_MODIFIED, **errors(404)})
def get_certificate_statement(
    state: State, principal: Reader, certificate_id: CertificateId, condition: Condition
) -> CertificateStatement:
    """Read an entry byte for byte, to be checked elsewhere."""
    found = service.read_statement(state.database, principal, certificate_id)
    condition.unless_same(found)
    return found


@router.get("/certificates/{certificate_id}/proof", responses={**NOT_MODIFIED, **errors(404)})
def prove_inclusion(
    state: State, principal: Reader, certificate_id: CertificateId, condition: Condition
) -> InclusionProof:
    """Prove that an entry is in the register, without the other entries."""
    found = service.prove_inclusion(state.database, principal, certificate_id)
    condition.unless_same(found)
    return found


@router.get("/register", responses={**NOT_MODIFIED, **errors()})
def get_checkpoint(state: State, principal: Reader, condition: Condition) -> Checkpoint:
    """Read the register's checkpoint: its size and its Merkle root."""
    found = service.checkpoint(state.database, principal)
    condition.unless_same(found)
    return found


@router.get("/register/consistency", responses=errors(409))
def prove_consistency(
    state: State, principal: Reader, earlier: Annotated[EarlierCheckpoint, Query()]
) -> ConsistencyProof:
    """Prove that the register continues an earlier checkpoint: nothing was taken out."""
    return service.prove_consistency(state.database, principal, earlier)
