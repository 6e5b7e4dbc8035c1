"""Policy's own grants get a row once something happens to them; what is open is found by its end."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Grants that have their rows already keep them."""
    op.add_column("actions", sa.Column("claimable_until", sa.BigInteger(), nullable=True))
    op.create_index(
        "actions_claimable",
        "actions",
        ["claimable_until"],
        unique=False,
        sqlite_where=sa.text("claimable_until IS NOT NULL"),
        postgresql_where=sa.text("claimable_until IS NOT NULL"),
    )
    op.drop_index("actions_by_grant", table_name="actions")
    op.create_index(
        "open_grants",
        "grants",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def downgrade() -> None:
    op.drop_index("open_grants", table_name="grants")
    op.create_index(
        "actions_by_grant",
        "actions",
        ["grant_id"],
        unique=False,
        sqlite_where=sa.text("grant_id IS NOT NULL"),
        postgresql_where=sa.text("grant_id IS NOT NULL"),
    )
    op.drop_index("actions_claimable", table_name="actions")
    op.drop_column("actions", "claimable_until")
