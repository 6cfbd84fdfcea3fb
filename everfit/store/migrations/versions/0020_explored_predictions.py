"""The share of explored units, of predictions whose unit was explored"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    explored = sa.Column("explored", sa.Float(53), nullable=False, server_default=sa.text("0"))
    op.add_column("predictions", explored)  # of all its partitions, too; no row is read


def downgrade() -> None:
    op.drop_column("predictions", "explored")
