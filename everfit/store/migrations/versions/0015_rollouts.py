"""Rollouts: how a version that passed the gate takes over"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "rollouts",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("replaces", sa.Integer(), nullable=True),
        sa.Column("stages", JSONB(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("margin", sa.Float(53), nullable=False, server_default=sa.text("0")),
        sa.Column("days", JSONB(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
    )
    challenging, provisional = sa.text("state IN ('running', 'waiting')"), sa.text("state = 'provisional'")
    op.create_index("rollouts_challenging", "rollouts", ["model"], unique=True, postgresql_where=challenging)
    op.create_index("rollouts_provisional", "rollouts", ["model"], unique=True, postgresql_where=provisional)


def downgrade() -> None:
    op.drop_table("rollouts")
