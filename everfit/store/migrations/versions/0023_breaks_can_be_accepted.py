"""Quarantines name the kinds of their breaks, and a release may accept these from then on"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("quarantines", sa.Column("kinds", sa.ARRAY(sa.Text), nullable=False, server_default=sa.text("'{}'")))
    op.add_column("quarantine_releases", sa.Column("accepted", sa.Boolean, nullable=False, server_default=sa.text("false")))


def downgrade() -> None:
    op.drop_column("quarantine_releases", "accepted")
    op.drop_column("quarantines", "kinds")
