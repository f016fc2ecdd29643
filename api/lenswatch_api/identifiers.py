"""Identifiers and the clock: every id sorts by the time it was made."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Path

_BODY = "[0-9a-f]{12}[0-9a-f]{16}"

DEPLOYMENT_ID = rf"^dep_{_BODY}$"
BUNDLE_ID = rf"^bun_{_BODY}$"
AUDIT_ID = rf"^aud_{_BODY}$"
KEY_ID = rf"^key_{_BODY}$"
UPLOAD_ID = rf"^upl_{_BODY}$"

DeploymentId = Annotated[
    str, Path(pattern=DEPLOYMENT_ID, description="Id of the deployment, `dep_...`.")
]
BundleId = Annotated[str, Path(pattern=BUNDLE_ID, description="Id of the bundle, `bun_...`.")]
AuditId = Annotated[str, Path(pattern=AUDIT_ID, description="Id of the audit, `aud_...`.")]
KeyId = Annotated[str, Path(pattern=KEY_ID, description="Id of the API key, `key_...`.")]
UploadId = Annotated[str, Path(pattern=UPLOAD_ID, description="Id of the upload, `upl_...`.")]


def new_id(prefix: str) -> str:
    """A fresh id such as ``aud_0193...``: 48 bits of milliseconds, then 64 random bits."""
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"


def now() -> datetime:
    """The current moment, UTC."""
    return datetime.now(UTC)
