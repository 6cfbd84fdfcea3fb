"""Views have versions

Which version of its view an online row was made by is not known; all of them are made anew from the rows that have landed.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

NOW = sa.text("now()")


def upgrade() -> None:
    op.create_table(
        "view_versions",
        sa.Column("view", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("definition", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.Column("own_keys", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("rows_read", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rows_landed", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("built_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("view", "version"),
    )
    op.create_index("view_versions_by_source", "view_versions", ["source"])
    op.create_table(
        "schemas",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("features", postgresql.JSONB(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("model", "schema"),
    )
    op.create_table(
        "schema_views",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=False),
        sa.Column("view", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.PrimaryKeyConstraint("model", "schema", "view", "version"),
    )
    op.drop_table("online_features")
    _online_features("view", "version")


def downgrade() -> None:
    op.drop_table("online_features")
    _online_features("model", "view")
    op.drop_table("schema_views")
    op.drop_table("schemas")
    op.drop_table("view_versions")


def _online_features(*named_by: str) -> None:
    op.create_table(
        "online_features",
        *(sa.Column(name, sa.Text(), nullable=False) for name in (*named_by, "key")),
        sa.Column("known_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("values", postgresql.JSONB(), nullable=False),
        sa.Column("sums", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("counts", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.PrimaryKeyConstraint(*named_by, "key", "known_at"),
    )
