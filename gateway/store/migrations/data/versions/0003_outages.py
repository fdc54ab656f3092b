"""Which authority's list a submission waits for, and which authorities are waited for."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submission", sa.Column("awaits", sa.Text))
    op.create_index(
        "ix_submission_awaits",
        "submission",
        ["awaits"],
        sqlite_where=sa.text("cause = 'SIG-207'"),
        postgresql_where=sa.text("cause = 'SIG-207'"),
    )
    op.create_table(
        "outage",
        sa.Column("issuer", sa.Text, primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
    )
