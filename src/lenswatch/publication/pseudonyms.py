"""Names that say which two rows are the same subject, and not which subject it is.

HMAC-SHA-256 under a key of the one audit. A plain hash would not do: node ids and addresses are so
few that all of them can be tried. Who destroys the key after the appeal period makes the names
final.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from lenswatch.errors import UsageError

KEY_BYTES: Final = 32
_SHOWN: Final = 16
"""Hexadecimal digits of a pseudonym: two of a million subjects share one once in 37 million."""


class Pseudonyms:
    """Pseudonyms under one key."""

    def __init__(self, key: bytes) -> None:
        """Raises :class:`~lenswatch.errors.UsageError` for a key below 32 bytes."""
        if len(key) < KEY_BYTES:
            raise UsageError(f"a key has at least {KEY_BYTES} bytes")
        self._key = key

    def of(self, subject: str) -> str:
        """``node:cam-17`` becomes ``node:9f86d081884c7d65``; the kind of subject stays."""
        kind, separator, name = subject.partition(":")
        if not separator:
            return subject  # the deployment itself
        digest = hmac.new(self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"{kind}:{digest.hexdigest()[:_SHOWN]}"


def read_or_make_key(path: Path) -> tuple[bytes, bool]:
    """The key in a file of hexadecimal digits, and whether it was made now.

    A new file can be read by its owner only. Raises :class:`~lenswatch.errors.UsageError` for a
    file that holds no key, ``OSError`` where it cannot be read or written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        try:
            return bytes.fromhex(path.read_text("ascii").strip()), False
        except ValueError:
            raise UsageError(
                f"{path}: not a key: {2 * KEY_BYTES} hexadecimal digits are wanted; "
                "name a file that does not exist to have one made"
            ) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        key = secrets.token_bytes(KEY_BYTES)
        stream.write(key.hex() + "\n")
    return key, True
