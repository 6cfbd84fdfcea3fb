"""Months of the prediction log are made and dropped as the tables' owner, for a role that owns none"""

from alembic import op

revision = "0018"
down_revision = "0017"

_MAKE = """
    CREATE FUNCTION make_month(month text, since timestamptz, until timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        EXECUTE format('CREATE TABLE %I (LIKE predictions INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', 'predictions_' || month);
        EXECUTE format(
            'ALTER TABLE predictions ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', 'predictions_' || month, since, until
        );
    END $$
"""
_DROP = """
    CREATE FUNCTION drop_month(month text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    BEGIN
        EXECUTE format('DROP TABLE %I', 'predictions_' || month);
    END $$
"""
_SIGNATURES = ("make_month(text, timestamptz, timestamptz)", "drop_month(text)")


def upgrade() -> None:
    op.execute(_MAKE)
    op.execute(_DROP)
    for signature in _SIGNATURES:
        op.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")


def downgrade() -> None:
    for signature in _SIGNATURES:
        op.execute(f"DROP FUNCTION {signature}")
