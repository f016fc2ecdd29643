"""What an operator can set, and the defaults that are safe without setting anything."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from lenswatch.errors import UsageError

if TYPE_CHECKING:
    from lenswatch_api.oidc import OidcSettings

MIB = 1024 * 1024
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything that keeps one caller from using up the machine."""

    archive_bytes: int = 50 * GIB
    """Largest archive that is accepted."""
    bundle_bytes: int = 200 * GIB
    """Largest bundle, unpacked."""
    bundle_files: int = 1_000_000
    """Most files in a bundle."""
    expansion: int = 200
    """Most bytes unpacked per byte of archive; real evidence stays below 20."""
    tenant_bytes: int = 500 * GIB
    """Evidence that one tenant may keep, unpacked."""
    free_bytes: int = 1 * GIB
    """Free space that an upload has to leave on the disk."""
    queued_audits: int = 100
    """Audits that one tenant may have waiting or running."""
    requests_per_minute: int = 1200
    """Requests per API key; short bursts up to a quarter of this pass."""
    failed_logins_per_minute: int = 20
    """Wrong keys per client address."""
    audit_seconds: int = 24 * 3600
    """An audit that takes longer is ended."""
    audit_attempts: int = 3
    """Times an audit is started again after the service itself was killed under it."""
    compared_findings: int = 500_000
    """Findings of two audits together that a request compares."""
    upload_idle_seconds: int = 24 * 3600
    """An unfinished resumable upload is discarded after this long without a byte."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the service keeps things and how it runs."""

    data: Path
    """Directory of everything the service stores; made on the first start, mode 0700."""
    database_url: str = ""
    """SQLAlchemy URL; empty means SQLite inside ``data``."""
    evidence_url: str = ""
    """``s3://bucket/prefix`` of the storage for evidence; empty means inside ``data``."""
    live_scope: Path | None = None
    """File with the networks in which audits may ask live devices; None for none at all."""
    parallel_audits: int = 1
    """Audits that run at the same time."""
    audit_threads: int = 2
    """Threads inside one audit."""
    secure_cookies: bool = False
    """True behind HTTPS: session cookies are then sent over HTTPS only."""
    oidc: OidcSettings | None = None
    """Identity provider whose tokens are believed; None for API keys alone."""
    limits: Limits = field(default_factory=Limits)
    engine: str = "lenswatch.audit:run_audit"
    """What audits a bundle, ``module:function``; tests of the jobs put a stand-in here."""

    @property
    def sqlalchemy_url(self) -> str:
        """URL of the service's own database, driver named."""
        if not self.database_url:
            return f"sqlite:///{self.data / 'lenswatch.sqlite'}"
        scheme, separator, rest = self.database_url.partition("://")
        if separator and scheme in ("postgres", "postgresql"):
            return f"postgresql+psycopg://{rest}"
        if not (separator and scheme in ("sqlite", "postgresql+psycopg")):
            raise UsageError(
                "the database URL must start with sqlite:/// or postgresql:// "
                "(example: postgresql://lenswatch@db/lenswatch)"
            )
        return self.database_url

    @property
    def jobs_url(self) -> str:
        """URL of the job engine's database: its own SQLite file, or the same PostgreSQL."""
        if self.sqlalchemy_url.startswith("sqlite"):
            return f"sqlite:///{self.data / 'jobs.sqlite'}"
        return self.sqlalchemy_url

    @property
    def evidence(self) -> Path:
        """Unpacked bundles, one directory each. Never served. Empty with ``evidence_url``."""
        return self.data / "evidence"

    @property
    def reports(self) -> Path:
        """Reports, one directory an audit."""
        return self.data / "reports"

    @property
    def spool(self) -> Path:
        """Uploads that are not finished, and bundles being unpacked; emptied on start."""
        return self.data / "spool"

    @property
    def uploads(self) -> Path:
        """Resumable uploads; kept over a restart."""
        return self.data / "uploads"

    @property
    def live(self) -> Path:
        """Flow exports that arrived and are not yet in a bundle, one directory a deployment."""
        return self.data / "live"

    def make_directories(self) -> None:
        """Create the directories, readable by the owner alone."""
        for directory in (
            self.data,
            self.evidence,
            self.reports,
            self.spool,
            self.uploads,
            self.live,
        ):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def limits_from_environment(environment: Mapping[str, str] = os.environ) -> Limits:
    """Limits with every ``LENSWATCH_LIMIT_<NAME>`` of the environment applied.

    Raises UsageError where a value is not a positive whole number.
    """
    changed: dict[str, int] = {}
    for limit in fields(Limits):
        variable = f"LENSWATCH_LIMIT_{limit.name.upper()}"
        text = environment.get(variable)
        if text is None:
            continue
        if not (text.isascii() and text.isdigit() and int(text) > 0):
            raise UsageError(f"{variable} must be a positive whole number")
        changed[limit.name] = int(text)
    return Limits(**changed)
