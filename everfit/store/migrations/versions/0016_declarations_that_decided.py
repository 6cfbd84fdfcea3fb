"""Whole declarations, and which of them a decision was made by"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "declaration_documents",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("document", JSONB(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
    )
    op.add_column("decisions", sa.Column("declaration", sa.Text(), sa.ForeignKey("declaration_documents.id"), nullable=True))


def downgrade() -> None:
    op.drop_column("decisions", "declaration")
    op.drop_table("declaration_documents")
