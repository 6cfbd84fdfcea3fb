"""Versions of views name what of their source is masked"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("view_versions", sa.Column("masks", JSONB, nullable=True))


def downgrade() -> None:
    op.drop_column("view_versions", "masks")
