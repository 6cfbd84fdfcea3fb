"""The ledger's rows stay: whoever asks, they are neither changed nor removed"""

from alembic import op

revision = "0017"
down_revision = "0016"

_REFUSE = """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the % is append-only: % is refused', TG_TABLE_NAME, TG_OP
            USING HINT = 'a promotion is taken back by everfit rollback, which adds a row';
    END $$
"""
_TRIGGER = """
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
"""


def upgrade() -> None:
    op.execute(_REFUSE)
    op.execute(_TRIGGER)
    op.execute("ALTER TABLE ledger ENABLE ALWAYS TRIGGER append_only")  # for sessions that replicate, too


def downgrade() -> None:
    op.execute("DROP TRIGGER append_only ON ledger")
    op.execute("DROP FUNCTION refuse_change()")
