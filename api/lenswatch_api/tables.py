"""The tables. Migrations in ``migrations/`` create them; a test compares the two."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from lenswatch_api.database import UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(32)
_BYTEWISE = String(300).with_variant(String(300, collation="C"), "postgresql")
"""Sorted by bytes on both databases: the order of a page does not depend on a locale."""


class Base(DeclarativeBase):
    """Base of the mapped classes."""

    metadata = metadata
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy reads it from the class)
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


class Tenant(Base):
    """An organisation; everything else belongs to exactly one."""

    __tablename__ = "tenants"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    created_at: Mapped[datetime]


class ApiKey(Base):
    """An API key: only the hash of its secret is stored."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    name: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    vendor: Mapped[str | None] = mapped_column(String(200))
    """For role vendor: the only vendor whose findings the key may read."""
    scopes: Mapped[list[Any] | None]
    """None for all that the role allows."""
    secret_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class BrowserSession(Base):
    """A browser whose holder signed in: with an API key, and it dies with that, or elsewhere."""

    __tablename__ = "browser_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"), index=True)
    holder: Mapped[dict[str, Any] | None]
    """Who the identity provider said it is, where no key opened the session."""
    expires_at: Mapped[datetime]


class Deployment(Base):
    """A camera network under audit, over time."""

    __tablename__ = "deployments"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    name: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]


class Bundle(Base):
    """A bundle of evidence, unpacked on disk."""

    __tablename__ = "bundles"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the archive as it was sent."""
    archive_bytes: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    """Unpacked."""
    files: Mapped[int]
    root: Mapped[str] = mapped_column(String(255), default="")
    """Directory inside the archive that holds ``deployment.yaml``; empty for its top."""
    created_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Audit(Base):
    """A durable job and what it concluded."""

    __tablename__ = "audits"
    __table_args__ = (Index("ix_audits_tenant_id_state", "tenant_id", "state"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), index=True)
    bundle_id: Mapped[str] = mapped_column(ForeignKey("bundles.id"), index=True)
    number: Mapped[int] = mapped_column(BigInteger, unique=True)
    """The same audit for the table of findings, in 8 bytes instead of 32 in every index entry."""
    packs: Mapped[list[Any]]
    state: Mapped[str] = mapped_column(String(16))
    attempt: Mapped[int] = mapped_column(default=0)
    """Counts starts; a process of an earlier attempt may no longer write anything."""
    stage: Mapped[str] = mapped_column(String(200), default="")
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    failure: Mapped[str | None] = mapped_column(Text)
    """For a person, with the remedy; None unless the state is ``failed``."""
    verdict: Mapped[str | None] = mapped_column(String(16))
    tool: Mapped[str | None] = mapped_column(String(64))
    bundle_digest: Mapped[str | None] = mapped_column(String(80))
    findings: Mapped[int | None]
    score: Mapped[dict[str, Any] | None]
    coverage: Mapped[dict[str, Any] | None]
    problems: Mapped[list[Any] | None]
    reports: Mapped[list[Any] | None]


class IdempotencyRecord(Base):
    """What an ``Idempotency-Key`` made, so that a repeated request makes nothing new."""

    __tablename__ = "idempotency_records"

    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), primary_key=True)
    operation: Mapped[str] = mapped_column(String(64), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    resource_id: Mapped[str] = mapped_column(_ID)
    created_at: Mapped[datetime] = mapped_column(index=True)


class Upload(Base):
    """A resumable upload that is not finished."""

    __tablename__ = "uploads"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"))
    length: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None] = mapped_column(String(64))
    bundle_id: Mapped[str | None] = mapped_column(_ID)
    """The bundle it became, once complete."""
    created_at: Mapped[datetime]


class Plan(Base):
    """A plan of an audit by sample: committed to first, drawn after."""

    __tablename__ = "plans"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), index=True)
    bundle_id: Mapped[str] = mapped_column(ForeignKey("bundles.id"))
    content: Mapped[dict[str, Any]]
    """Claim and sizes."""
    cameras: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    """Ids of the inventory's cameras: a list in JSON, deflated."""
    root: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    """Nobody reads it before the draw."""
    created_at: Mapped[datetime]
    drawn_at: Mapped[datetime | None]
    drawn: Mapped[dict[str, Any] | None]
    """Randomness, seed and cameras in their order."""


class Certificate(Base):
    """An entry of a tenant's register: a signed statement, never changed or removed."""

    __tablename__ = "certificates"
    __table_args__ = (
        UniqueConstraint("tenant_id", "position"),
        UniqueConstraint("tenant_id", "digest"),
    )

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    position: Mapped[int]
    """Place in the register, from 0."""
    digest: Mapped[str] = mapped_column(String(64))
    statement: Mapped[bytes] = mapped_column(LargeBinary)
    """Byte for byte as it was signed."""
    leaf: Mapped[str] = mapped_column(String(64))
    """Its hash in the Merkle tree."""
    kind: Mapped[str] = mapped_column(String(16))
    added_at: Mapped[datetime]


class FlowDelivery(Base):
    """Flow exports that arrived and are not yet in a bundle, or the bundle they went into."""

    __tablename__ = "flow_deliveries"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployments.id"), index=True)
    messages: Mapped[int]
    bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    bundle_id: Mapped[str | None] = mapped_column(ForeignKey("bundles.id"))


class SuiteResult(Base):
    """What a tool reached in a benchmark suite."""

    __tablename__ = "suite_results"
    __table_args__ = (UniqueConstraint("tenant_id", "digest"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"))
    digest: Mapped[str] = mapped_column(String(64))
    content: Mapped[dict[str, Any]]
    """The file of results."""
    added_at: Mapped[datetime]


class AccessRecord(Base):
    """Who touched which evidence, report or key. Triggers refuse updates and deletions."""

    __tablename__ = "access_log"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), index=True)
    at: Mapped[datetime]
    key_id: Mapped[str] = mapped_column(_ID)
    action: Mapped[str] = mapped_column(String(64))
    resource: Mapped[str] = mapped_column(String(64))


FINDINGS = Table(
    "findings",
    metadata,
    Column("audit", BigInteger, ForeignKey("audits.number"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("control", String(200), nullable=False),
    Column("check", String(100), nullable=False),
    Column("subject", _BYTEWISE, nullable=False),
    Column("district", String(200), nullable=False),
    Column("vendor", String(200), nullable=False),
    Column("model", String(200), nullable=False),
    Column("verdict", String(16), nullable=False),
    Column("severity_order", SmallInteger, nullable=False),
    Column("confidence", String(8), nullable=False),
    Column("measured", Double),
    Column("measured_order", Double, nullable=False),
    Column("limit_value", Double),
    Column("unit", String(40), nullable=False),
    Column("interval", JSON),
    Column("basis", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    Column("remediation", Text, nullable=False),
    Column("evidence", JSON, nullable=False),
    # orders and filters are not here but in findings/index.py, which combines them freely
    Index("ix_findings_subject", "audit", "subject", "position"),
    sqlite_with_rowid=False,
)
"""One row a finding, in the order of the result; ``severity_order`` 0 is critical, and
``measured_order`` is minus the measured value, infinite where nothing was measured."""
