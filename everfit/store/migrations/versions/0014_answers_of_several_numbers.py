"""Answers of several numbers, and outcomes that are classes"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.alter_column("predictions", "score", nullable=True)  # of all its partitions, too; no row is read
    op.add_column("predictions", sa.Column("scores", JSONB(), nullable=True))
    op.alter_column("outcomes", "outcome", nullable=True)
    op.add_column("outcomes", sa.Column("outcome_class", sa.Text(), nullable=True))


def downgrade() -> None:
    """Refused by the database where a row has what the former tables cannot hold."""
    op.alter_column("outcomes", "outcome", nullable=False)
    op.drop_column("outcomes", "outcome_class")
    op.alter_column("predictions", "score", nullable=False)
    op.drop_column("predictions", "scores")
