"""Plans, certificates, live flows, and browser sessions that no API key opened."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lenswatch_api.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    # whoever is signed in signs in again: cheaper than copying a table that lives for hours
    op.drop_table("browser_sessions")
    op.create_table(
        "browser_sessions",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("key_id", sa.String(length=32), nullable=True),
        sa.Column("holder", sa.JSON(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_id"], ["api_keys.id"], name=op.f("fk_browser_sessions_key_id")
        ),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_browser_sessions")),
    )
    op.create_index(op.f("ix_browser_sessions_key_id"), "browser_sessions", ["key_id"])
    op.create_table(
        "plans",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("deployment_id", sa.String(length=32), nullable=False),
        sa.Column("bundle_id", sa.String(length=32), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("cameras", sa.LargeBinary(), nullable=False),
        sa.Column("root", sa.String(length=64), nullable=False),
        sa.Column("nonce", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("drawn_at", UtcDateTime(), nullable=True),
        sa.Column("drawn", sa.JSON(), nullable=True),
        *_owned("plans", "tenant", "deployment", "bundle"),
    )
    op.create_index(op.f("ix_plans_tenant_id"), "plans", ["tenant_id"])
    op.create_index(op.f("ix_plans_deployment_id"), "plans", ["deployment_id"])
    op.create_table(
        "certificates",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("statement", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        *_owned("certificates", "tenant"),
        sa.UniqueConstraint(
            "tenant_id", "position", name=op.f("uq_certificates_tenant_id_position")
        ),
        sa.UniqueConstraint("tenant_id", "digest", name=op.f("uq_certificates_tenant_id_digest")),
    )
    op.create_table(
        "flow_deliveries",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("deployment_id", sa.String(length=32), nullable=False),
        sa.Column("messages", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("bundle_id", sa.String(length=32), nullable=True),
        *_owned("flow_deliveries", "tenant", "deployment", "bundle"),
    )
    op.create_index(op.f("ix_flow_deliveries_tenant_id"), "flow_deliveries", ["tenant_id"])
    op.create_index(op.f("ix_flow_deliveries_deployment_id"), "flow_deliveries", ["deployment_id"])


def _owned(table: str, *owners: str) -> list[sa.Constraint]:
    """Keys of a table whose rows belong to others."""
    return [
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
        *(
            sa.ForeignKeyConstraint(
                [f"{owner}_id"], [f"{owner}s.id"], name=op.f(f"fk_{table}_{owner}_id")
            )
            for owner in owners
        ),
    ]
