"""Keys may be narrower than their role."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the change."""
    # beside the old column, not by copying the table: sessions refer to it
    op.add_column("api_keys", sa.Column("scopes", sa.JSON(), nullable=True))
