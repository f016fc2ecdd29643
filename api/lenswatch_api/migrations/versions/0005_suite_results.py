"""Results of benchmark suites."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from lenswatch_api.database import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "suite_results",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("tenant_id", sa.String(length=32), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_suite_results_tenant_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_suite_results")),
        sa.UniqueConstraint("tenant_id", "digest", name=op.f("uq_suite_results_tenant_id_digest")),
    )
