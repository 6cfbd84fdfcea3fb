"""Gaps of the logs, their ends as last seen, dead letters that were stored after all, and late rows by an index of their own"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "log_gaps",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("noticed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", "log_id", "first_offset"),
    )
    op.add_column("consumer_offsets", sa.Column("end_offset", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    updated = sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False)
    op.add_column("consumer_offsets", updated)
    op.add_column("dead_letters", sa.Column("redriven_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index("predictions_late", "predictions", ["model", "event_time"], postgresql_where=sa.text("late"))


def downgrade() -> None:
    op.drop_index("predictions_late", table_name="predictions")
    op.drop_column("dead_letters", "redriven_at")
    op.drop_column("consumer_offsets", "updated_at")
    op.drop_column("consumer_offsets", "end_offset")
    op.drop_table("log_gaps")
