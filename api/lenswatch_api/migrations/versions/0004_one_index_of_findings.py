"""Findings are found through the index that an audit writes; most of the database's go."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    for name in ("control", "district", "measured", "severity", "vendor", "verdict"):
        op.drop_index(f"ix_findings_{name}", table_name="findings")
