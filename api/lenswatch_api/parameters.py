"""Ids as path parameters."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path

from lenswatch_api.identifiers import (
    AUDIT_ID,
    BUNDLE_ID,
    CERTIFICATE_ID,
    DEPLOYMENT_ID,
    KEY_ID,
    PLAN_ID,
    UPLOAD_ID,
)

DeploymentId = Annotated[
    str, Path(pattern=DEPLOYMENT_ID, description="Id of the deployment, `dep_...`.")
]
BundleId = Annotated[str, Path(pattern=BUNDLE_ID, description="Id of the bundle, `bun_...`.")]
AuditId = Annotated[str, Path(pattern=AUDIT_ID, description="Id of the audit, `aud_...`.")]
KeyId = Annotated[str, Path(pattern=KEY_ID, description="Id of the API key, `key_...`.")]
UploadId = Annotated[str, Path(pattern=UPLOAD_ID, description="Id of the upload, `upl_...`.")]
PlanId = Annotated[str, Path(pattern=PLAN_ID, description="Id of the plan, `pla_...`.")]
CertificateId = Annotated[
    str, Path(pattern=CERTIFICATE_ID, description="Id of the entry, `cer_...`.")
]
