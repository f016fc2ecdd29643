"""Identifiers and the clock: every id sorts by the time it was made."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime

_BODY = "[0-9a-f]{12}[0-9a-f]{16}"

DEPLOYMENT_ID = rf"^dep_{_BODY}$"
BUNDLE_ID = rf"^bun_{_BODY}$"
AUDIT_ID = rf"^aud_{_BODY}$"
KEY_ID = rf"^key_{_BODY}$"
UPLOAD_ID = rf"^upl_{_BODY}$"
PLAN_ID = rf"^pla_{_BODY}$"
CERTIFICATE_ID = rf"^cer_{_BODY}$"


def new_id(prefix: str) -> str:
    """A fresh id such as ``aud_0193...``: 48 bits of milliseconds, then 64 random bits."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"


def number_of(identifier: str) -> int:
    """The time in an id and 20 of its random bits as one positive 64-bit integer."""
    body = identifier.partition("_")[2]
    return int(body[:12], 16) % 2**43 << 20 | int(body[12:17], 16)


def now() -> datetime:
    """The current moment, UTC."""
    return datetime.now(UTC)
