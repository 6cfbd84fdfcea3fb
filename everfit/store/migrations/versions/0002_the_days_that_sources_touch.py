"""The days that sources touch"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "source_days",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("changes", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.PrimaryKeyConstraint("source", "day"),
    )
    op.execute(
        "INSERT INTO source_days (source, day) SELECT DISTINCT source, (event_time AT TIME ZONE 'UTC')::date FROM source_rows"
    )


def downgrade() -> None:
    op.drop_table("source_days")
