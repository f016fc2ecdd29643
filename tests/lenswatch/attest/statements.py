"""Keys and certificates for tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from securesystemslib.signer import CryptoSigner

from lenswatch.attest.certificate import commitment, issue, stimulus_seed, verdict_digest

WITHIN = datetime(2026, 12, 1, tzinfo=UTC)
DEVICE = "sha256:" + "ab" * 32
VERDICTS = [
    {
        "control": "device/mask",
        "subject": "node:device",
        "verdict": "pass",
        "required": True,
        "measured": 0.0,
        "limit": 0.0,
        "unit": "faces",
        "lower": 0.0,
        "upper": 0.04,
        "level": 0.95,
    }
]


def private_key(number: int = 1) -> Ed25519PrivateKey:
    """The same key for the same number."""
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def signer(number: int = 1) -> CryptoSigner:
    return CryptoSigner(private_key(number))


def private_pem(number: int = 1) -> bytes:
    return private_key(number).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(number: int = 1) -> bytes:
    public = private_key(number).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def predicate(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "schema_version": 1,
        "issued": "2026-11-24T00:00:00Z",
        "expires": "2027-11-24T00:00:00Z",
        "tool": {"name": "lenswatch", "version": "0.1.0", "environment": "sha256:00"},
        "device": {
            "name": "Example X100",
            "vendor": "Example",
            "model": "X100",
            "firmware": "4.2",
            "digest": DEVICE,
        },
        "protocol": {"id": "certify", "version": "1", "digest": "sha256:01"},
        "simulator": {"seed": stimulus_seed(DEVICE, "salt", ""), "digest": "sha256:02"},
        "stimulus": {"salt": "salt", "beacon": "", "commitment": commitment("salt")},
        "packs": [{"id": "device", "version": "1.0.0", "digest": "sha256:03"}],
        "inventory_root": "00",
        "bundle_digest": "sha256:04",
        "detector": {"name": "centerface", "digest": "sha256:05"},
        "verdicts": VERDICTS,
        "exceptions": [],
        "verdict_digest": verdict_digest(VERDICTS),
    }
    return content | changes


def certificate(number: int = 1, **changes: Any) -> bytes:
    return issue(predicate(**changes), signer(number))
