"""The first schema."""

from alembic import op

from consentry.actions import new_id
from consentry.ledger.merkle import Frontier
from consentry.store import tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    bind = op.get_bind()
    tables.metadata.create_all(bind)
    op.bulk_insert(tables.versions, [{"id": 1, "policy": "", "roster": 1, "instance": new_id("ins")}])
    op.bulk_insert(tables.ledger_state, [{"id": 1, "size": 0, "frontier": Frontier().encode(), "tiled": 0}])


def downgrade() -> None:
    tables.metadata.drop_all(op.get_bind())
