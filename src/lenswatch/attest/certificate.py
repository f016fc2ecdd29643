"""Certificates of devices: what they state, and every reason to refuse one.

A certificate states that one version of one device passed a published protocol with stimulus that
nobody could know before. It is checked offline: signature, byte form, inner digests, period,
revocations, and whether it is about the device at hand.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rfc8785

from lenswatch.attest.envelope import (
    STATEMENT_TYPE,
    Opened,
    Reason,
    Refusal,
    Refused,
    open_sealed,
    seal,
)
from lenswatch.errors import EvidenceError

if TYPE_CHECKING:
    from securesystemslib.signer import Signer, SSlibKey

CERTIFICATE = "urn:lenswatch:certificate:1"
REVOCATION = "urn:lenswatch:revocation:1"

STATED = (
    "schema_version", "issued", "expires", "tool", "device", "protocol", "simulator", "stimulus",
    "packs", "inventory_root", "bundle_digest", "detector", "verdicts", "exceptions",
    "verdict_digest",
)  # fmt: skip
"""What a certificate's predicate must hold."""

GOOD = ("pass", "not-applicable", "excepted")


@dataclass(frozen=True, slots=True)
class CertificateCheck:
    """What a look at a certificate gave."""

    opened: Opened | None
    """None where it is not whole, so that nothing it says can be used."""
    refusals: tuple[Refusal, ...]
    """Every reason against it; empty where there is none."""
    unchecked: tuple[str, ...]
    """What was not looked at, in words."""
    digest: str
    """SHA-256 of the certificate's file, in hexadecimal: its name in registers."""


def stimulus_seed(declaration: str, salt: str, beacon: str = "") -> int:
    """Seed of the stimulus that follows from what was declared and drawn, 0 to 2**53 - 1.

    ``declaration`` is the device's digest, ``salt`` was drawn after it was fixed, ``beacon`` is a
    public value that nobody knew before.
    """
    text = rfc8785.dumps({"declaration": declaration, "salt": salt, "beacon": beacon})
    return int.from_bytes(hashlib.sha256(b"lenswatch stimulus\n" + text).digest()[:8], "big") >> 11


def commitment(salt: str) -> str:
    """What is recorded of a salt before it may be shown; hexadecimal."""
    return hashlib.sha256(b"lenswatch salt\n" + salt.encode()).hexdigest()


def verdict_digest(verdicts: Iterable[Mapping[str, Any]]) -> str:
    """Digest over control, subject and verdict alone: what a repeated run must give again.

    It goes over the verdicts that a certificate requires. Measured numbers stay out: a socket's
    timing may change an octet count and no verdict.
    """
    rows = sorted([v["control"], v["subject"], v["verdict"]] for v in verdicts)
    return f"sha256:{hashlib.sha256(rfc8785.dumps(rows)).hexdigest()}"


def issue(predicate: Mapping[str, Any], signer: Signer) -> bytes:
    """Sign a certificate. Raises ``ValueError`` where the predicate lacks something."""
    missing = [key for key in STATED if key not in predicate]
    if missing:
        raise ValueError(f"a certificate must state {', '.join(missing)}")
    device = predicate["device"]
    return seal(_statement(CERTIFICATE, device["name"], device["digest"], predicate), signer)


def revoke(certificate: bytes, signer: Signer, *, reason: str, at: datetime) -> bytes:
    """Sign that a certificate no longer holds. Only the key that signed it can.

    Raises :class:`~lenswatch.attest.envelope.Refused` for another key or a broken certificate.
    """
    opened = open_sealed(certificate)
    if opened.key_id != signer.public_key.keyid:
        raise Refused(Reason.OTHER_KEY, "Only the key that signed a certificate can revoke it.")
    name = str(opened.statement["subject"][0]["name"])
    content = {"schema_version": 1, "reason": reason, "at": moment_text(at)}
    digest = f"sha256:{certificate_digest(certificate)}"
    return seal(_statement(REVOCATION, name, digest, content), signer)


def _statement(kind: str, name: str, digest: str, predicate: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "_type": STATEMENT_TYPE,
        "predicateType": kind,
        "subject": [{"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicate": dict(predicate),
    }


def certificate_digest(raw: bytes) -> str:
    """Name of a certificate: SHA-256 of its file, in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC, whole seconds."""
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def check_certificate(
    raw: bytes,
    *,
    key: SSlibKey | None = None,
    at: datetime | None = None,
    revocations: Sequence[bytes] | None = None,
    device_digest: str = "",
) -> CertificateCheck:
    """Look for every reason to refuse a certificate.

    ``at`` is the moment it is to hold at, now where it is None. ``revocations`` are signed
    revocations as :func:`read_revocations` gives them, None where none are at hand.
    ``device_digest`` is that of the device in front of you.
    """
    digest = certificate_digest(raw)
    try:
        opened = open_sealed(raw, key)
    except Refused as refused:
        return CertificateCheck(None, (refused.refusal,), (), digest)
    refusals: list[Refusal] = []
    unchecked: list[str] = []
    if key is None:
        unchecked.append(
            f"whose key {opened.key_id[:16]}… is: compare it with the one that the vendor publishes"
        )
    if opened.kind != CERTIFICATE:
        refusals.append(Refusal(Reason.UNREADABLE, "It is signed, but it is no certificate."))
        return CertificateCheck(opened, tuple(refusals), tuple(unchecked), digest)
    try:
        _check_content(opened, refusals)
        _check_period(opened, at or datetime.now(UTC), refusals)
    except (KeyError, TypeError, ValueError, AttributeError):
        refusals.append(
            Refusal(Reason.INCONSISTENT, "It is signed, but does not hold what it must.")
        )
    if revocations is None:
        unchecked.append("whether it was revoked: give --revocations")
    else:
        _check_revocations(opened, digest, revocations, refusals)
    subject = f"sha256:{opened.statement['subject'][0]['digest']['sha256']}"
    if not device_digest:
        unchecked.append("whether it is about the device at hand: give --device")
    elif device_digest != subject:
        refusals.append(
            Refusal(
                Reason.OTHER_DEVICE,
                "It was issued for another device, or another version of this one.",
            )
        )
    return CertificateCheck(opened, tuple(refusals), tuple(unchecked), digest)


def _check_content(opened: Opened, refusals: list[Refusal]) -> None:
    stated = opened.predicate
    missing = [name for name in STATED if name not in stated]
    if missing:
        refusals.append(
            Refusal(Reason.NOT_PASSED, f"It does not state {', '.join(missing)}, which it must.")
        )
        return
    stimulus, device = stated["stimulus"], stated["device"]
    subject = opened.statement["subject"][0]["digest"]["sha256"]
    agree = {
        "the subject and the device": device["digest"] == f"sha256:{subject}",
        "the salt and its commitment": commitment(stimulus["salt"]) == stimulus["commitment"],
        "the seed and what it is drawn from": stated["simulator"]["seed"]
        == stimulus_seed(device["digest"], stimulus["salt"], stimulus["beacon"]),
        "the verdicts and their digest": verdict_digest(
            [verdict for verdict in stated["verdicts"] if verdict["required"]]
        )
        == stated["verdict_digest"],
    }
    refusals.extend(
        Refusal(Reason.INCONSISTENT, f"In it, {what} contradict each other.")
        for what, good in agree.items()
        if not good
    )
    bad = [
        verdict["control"]
        for verdict in stated["verdicts"]
        if verdict["verdict"] == "fail" or (verdict["required"] and verdict["verdict"] not in GOOD)
    ]
    if bad or not any(v["required"] for v in stated["verdicts"]):
        refusals.append(
            Refusal(
                Reason.NOT_PASSED,
                f"It states no pass for {', '.join(sorted(set(bad)))}."
                if bad
                else "It states no verdict that a certificate requires.",
            )
        )


def _check_period(opened: Opened, at: datetime, refusals: list[Refusal]) -> None:
    issued, expires = (
        datetime.fromisoformat(opened.predicate[name]) for name in ("issued", "expires")
    )
    if at < issued:
        refusals.append(Refusal(Reason.NOT_YET_VALID, f"It holds from {moment_text(issued)} only."))
    if at >= expires:
        refusals.append(Refusal(Reason.EXPIRED, f"It expired at {moment_text(expires)}."))


def _check_revocations(
    opened: Opened, digest: str, revocations: Sequence[bytes], refusals: list[Refusal]
) -> None:
    for raw in revocations:
        try:
            other = open_sealed(raw)
        except Refused:
            continue  # read_revocations has already refused a list with a broken line
        if other.kind != REVOCATION or other.key_id != opened.key_id:
            continue
        if other.statement["subject"][0]["digest"]["sha256"] == digest:
            refusals.append(
                Refusal(
                    Reason.REVOKED,
                    f"Its signer revoked it at {other.predicate['at']}:"
                    f" {other.predicate['reason']}",
                )
            )


def read_revocations(path: Path) -> list[bytes]:
    """Signed statements of a file, one a line, or of a register's folder.

    Raises :class:`~lenswatch.errors.EvidenceError` for a file with a line that is not whole: a
    damaged list could hide a revocation.
    """
    file = path / "entries.jsonl" if path.is_dir() else path
    try:
        lines = file.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise EvidenceError(
            f"cannot be opened ({error.strerror})", file=str(file), remedy="name the file or folder"
        ) from None
    for number, line in enumerate(lines, 1):
        try:
            open_sealed(line)
        except Refused as refused:
            raise EvidenceError(
                f"not a whole signed statement ({refused.refusal.reason})",
                file=str(file),
                line=number,
                remedy="get the list anew: a damaged one could hide a revocation",
            ) from None
    return lines


def looks_like_statement(path: Path) -> bool:
    """Whether a file may be a signed statement, from its first bytes."""
    with path.open("rb") as stream:
        return stream.read(64).lstrip().startswith(b"{")


def describe(raw: bytes) -> dict[str, Any]:
    """The statement inside, whatever its signature: for showing, never for trusting."""
    import base64

    content: dict[str, Any] = json.loads(base64.b64decode(json.loads(raw)["payload"]))
    return content
