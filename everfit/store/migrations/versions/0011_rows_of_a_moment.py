"""How many rows became known at one moment"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("online_features", sa.Column("rows", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("online_features", "rows")
