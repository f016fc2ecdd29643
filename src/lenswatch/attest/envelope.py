"""Signed statements: in-toto Statement v1 in a DSSE envelope, in one byte form only.

A statement is written as canonical JSON (RFC 8785), signed over DSSE's pre-authentication encoding
and kept as one line of canonical JSON. A reader accepts that byte form and no other, so a change of
any byte is found, also where the signature does not reach: white space, the order of keys, the
spare bits of base64, the key's id.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md,
https://github.com/secure-systems-lab/dsse/blob/master/envelope.md
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rfc8785

from lenswatch.errors import UsageError

if TYPE_CHECKING:
    from securesystemslib.signer import Signer, SSlibKey

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

LARGEST_ENVELOPE = 16 << 20
"""Bytes; a certificate has a few kilobytes."""

PASSWORD_VARIABLE = "LENSWATCH_KEY_PASSWORD"  # noqa: S105  (a name, not a password)


class Reason(StrEnum):
    """Why a signed statement is refused."""

    UNREADABLE = "unreadable"
    """It is no statement at all."""
    ALTERED = "altered"
    """The signature does not fit, or the bytes are not in the one form."""
    OTHER_KEY = "other-key"
    """Whole, and signed by another key than the one asked for."""
    INCONSISTENT = "inconsistent"
    """Signed as it is, but its own digests contradict each other."""
    NOT_PASSED = "not-passed"
    """It states a failure, or leaves out what a certificate must state."""
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    REVOKED = "revoked"
    OTHER_DEVICE = "other-device"
    """It was issued for another device, or another version of it."""
    NOT_REPEATED = "not-repeated"
    """The run, repeated, gave other verdicts."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason against a statement, in a word and in a sentence."""

    reason: Reason
    message: str


class Refused(Exception):
    """Raised where a statement cannot be read any further; carries the refusal."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.refusal = Refusal(reason, message)
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Opened:
    """A statement whose signature fits the key that it names."""

    statement: dict[str, Any]
    key_id: str
    """Of the key that signed, in hexadecimal."""

    @property
    def kind(self) -> str:
        """The statement's predicate type."""
        return str(self.statement["predicateType"])

    @property
    def predicate(self) -> dict[str, Any]:
        """What is stated."""
        content: dict[str, Any] = self.statement["predicate"]
        return content


def open_signer(word: str, public_key: Path | None = None) -> Signer:
    """A signer from the path of a private key (PEM) or a URI that securesystemslib knows.

    A URI (``awskms:...``, ``gcpkms://...``, ``hsm:...``) needs ``public_key``. The password of an
    encrypted file comes from the environment variable ``LENSWATCH_KEY_PASSWORD``. Raises
    :class:`~lenswatch.errors.UsageError` that says what is wrong, and never shows key material.
    """
    from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Signer

    scheme = word.partition(":")[0]
    if ":" in word and scheme in SIGNER_FOR_URI_SCHEME and not Path(word).exists():
        if public_key is None:
            raise UsageError(f"a key held by {scheme} needs its public half: give --public-key")
        try:
            return Signer.from_priv_key_uri(word, read_public_key(public_key))
        except Exception as error:  # noqa: BLE001  (each raises its own kinds, with secrets in them)
            raise UsageError(
                f"the key held by {scheme} cannot be used ({type(error).__name__}); "
                "check the address, your rights, and that the extra of securesystemslib is there"
            ) from None
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    password = os.environ.get(PASSWORD_VARIABLE)
    try:
        raw = Path(word).read_bytes()
        key = load_pem_private_key(raw, password.encode() if password else None)
    except OSError as error:
        raise UsageError(f"{word}: cannot be opened ({error.strerror})") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise UsageError(
            f"{word}: no private key in PEM, or its password is not in {PASSWORD_VARIABLE}; "
            "`openssl genpkey -algorithm ed25519` makes one"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise UsageError(f"{word}: not an Ed25519 key; `openssl genpkey -algorithm ed25519`")
    return CryptoSigner(key)


def read_public_key(path: Path) -> SSlibKey:
    """A public key from a PEM file.

    Raises :class:`~lenswatch.errors.UsageError` for a file that is none.
    """
    try:
        return public_key_from(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be opened ({error.strerror})") from None
    except ValueError:
        raise UsageError(
            f"{path}: no public key in PEM; `openssl pkey -in KEY -pubout` writes one"
        ) from None


def public_key_from(pem: bytes) -> SSlibKey:
    """A public key from the text of a PEM file; raises ``ValueError`` where it is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.signer import SSlibKey

    try:
        key: SSlibKey = SSlibKey.from_crypto(load_pem_public_key(pem))
    except (UnsupportedAlgorithm, TypeError) as error:
        raise ValueError("not a public key") from error
    return key


def public_pem(signer: Signer) -> str:
    """Public half of a signer's key, in PEM."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    content = signer.public_key.to_dict()
    public = str(content["keyval"]["public"])
    if content["keytype"] != "ed25519":
        return public  # securesystemslib keeps every other kind as PEM already
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def seal(statement: Mapping[str, Any], signer: Signer) -> bytes:
    """Sign a statement; one line of canonical JSON, its end included.

    The signer's public key goes into the predicate as ``signer``, so that whoever holds nothing but
    the file can still tell whether it is whole. Whose key it is, the file cannot say.
    """
    from securesystemslib.dsse import Envelope

    signing = {"keyid": signer.public_key.keyid, "public_key": public_pem(signer)}
    content = dict(statement) | {"predicate": dict(statement["predicate"]) | {"signer": signing}}
    envelope = Envelope(rfc8785.dumps(content), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return rfc8785.dumps(envelope.to_dict()) + b"\n"


def open_sealed(raw: bytes, key: SSlibKey | None = None) -> Opened:
    """Check a signed statement's form and signature, and return what it states.

    Without ``key`` the signature is checked by the key inside, which shows that the file is whole
    and not who signed it. Raises :class:`Refused`.
    """
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import VerificationError

    if len(raw) > LARGEST_ENVELOPE:
        raise Refused(Reason.UNREADABLE, "It is far too large for a signed statement.")
    try:
        envelope = Envelope.from_dict(json.loads(raw))
        statement = json.loads(envelope.payload)
        inner = public_key_from(statement["predicate"]["signer"]["public_key"].encode())
        whole = (
            rfc8785.dumps(envelope.to_dict()) + b"\n" == raw
            and rfc8785.dumps(statement) == envelope.payload
            and statement["predicate"]["signer"]["keyid"] == inner.keyid
            and list(envelope.signatures) == [inner.keyid]
            and envelope.payload_type == PAYLOAD_TYPE
            and statement["_type"] == STATEMENT_TYPE
            and isinstance(statement["predicateType"], str)
            and isinstance(statement["subject"][0]["digest"]["sha256"], str)
        )
    except Exception as error:  # noqa: BLE001  (whatever a hostile file makes a parser raise)
        raise Refused(
            Reason.UNREADABLE, f"It is no signed statement of lenswatch ({type(error).__name__})."
        ) from None
    try:
        envelope.verify([inner], 1)
    except VerificationError:
        whole = False
    if not whole:
        raise Refused(Reason.ALTERED, "It is not as it was signed: at least one byte was changed.")
    if key is not None and key.keyid != inner.keyid:
        raise Refused(
            Reason.OTHER_KEY,
            f"It is whole, but signed by the key {inner.keyid[:16]}…, not by the one asked for.",
        )
    return Opened(statement, inner.keyid)
