"""Comparators: what a champion is held against, fitted once for each window that wants one"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.create_table(
        "comparators",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recipe", sa.Text(), nullable=False),
        sa.Column("champion", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("fitted", sa.Text(), nullable=True),
        sa.Column("fit_seconds", sa.Float(53), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
    )
    op.create_index("comparators_by_window", "comparators", ["model", "start"])
    op.create_index("comparators_asked", "comparators", ["asked_at"], postgresql_where=sa.text("state = 'asked'"))


def downgrade() -> None:
    op.drop_table("comparators")
