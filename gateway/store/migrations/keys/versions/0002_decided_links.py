"""Which links rest on a person's decision alone: they end with it.

Links made so far count as said by documents.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("link", sa.Column("decision", sa.Text(), nullable=True))
    op.create_index("ix_link_decision", "link", ["decision"], unique=False)
