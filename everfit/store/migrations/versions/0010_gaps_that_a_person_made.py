"""Gaps that a person made, by passing over what cannot be read"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("log_gaps", sa.Column("skipped", sa.Boolean(), server_default=sa.text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("log_gaps", "skipped")
