"""How far each log can be read while a transaction is open on it, and the offset of the last record read: markers follow it"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("consumer_offsets", sa.Column("record_offset", sa.BigInteger(), nullable=True))
    readable = sa.Column("readable_offset", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    op.add_column("consumer_offsets", readable)
    op.execute("UPDATE consumer_offsets SET readable_offset = end_offset")


def downgrade() -> None:
    op.drop_column("consumer_offsets", "readable_offset")
    op.drop_column("consumer_offsets", "record_offset")
