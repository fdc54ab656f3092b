"""The numbers a decision bound are the key store's to know: they lie beside their links."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_column("decision_use", "bound")
