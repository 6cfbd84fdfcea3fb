"""Quarantines by day and column, and their releases"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "quarantine_releases",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("column", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("model", "start", "column"),
    )
    op.add_column("quarantines", sa.Column("column", sa.Text(), server_default="*", nullable=False))
    op.alter_column("quarantines", "column", server_default=None)
    op.add_column("quarantines", sa.Column("quarantined_at", sa.DateTime(timezone=True), nullable=True))
    op.execute('UPDATE quarantines SET quarantined_at = "end"')
    op.alter_column("quarantines", "quarantined_at", nullable=False)
    op.execute(
        'INSERT INTO quarantine_releases (model, start, "column", actor, reason, at) '
        "SELECT model, start, '*', 'unknown', 'released before releases were recorded', released_at "
        "FROM quarantines WHERE released_at IS NOT NULL"
    )
    op.drop_column("quarantines", "released_at")
    op.drop_constraint("quarantines_pkey", "quarantines")
    op.create_primary_key("quarantines_pkey", "quarantines", ["model", "start", "column"])


def downgrade() -> None:
    op.add_column("quarantines", sa.Column("released_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(
        "UPDATE quarantines q SET released_at = r.at FROM quarantine_releases r "
        'WHERE (q.model, q.start, q."column") = (r.model, r.start, r."column")'
    )
    # one row a span: an unreleased one, where there is any
    op.execute(
        "DELETE FROM quarantines q USING quarantines o WHERE (q.model, q.start) = (o.model, o.start) "
        'AND (q.released_at IS NOT NULL, q."column") > (o.released_at IS NOT NULL, o."column")'
    )
    op.drop_constraint("quarantines_pkey", "quarantines")
    op.drop_column("quarantines", "quarantined_at")
    op.drop_column("quarantines", "column")
    op.create_primary_key("quarantines_pkey", "quarantines", ["model", "start"])
    op.drop_table("quarantine_releases")
