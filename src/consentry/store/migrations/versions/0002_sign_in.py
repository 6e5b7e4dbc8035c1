"""Sign-in by providers, workload identity, DPoP."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "token_origins",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("issued_by", sa.Text(), nullable=True),
        sa.Column("provider", sa.Text(), nullable=True),
        sa.Column("identity_id", sa.Text(), nullable=True),
        sa.Column("thumbprint", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index(
        "origins_by_identity",
        "token_origins",
        ["identity_id"],
        unique=False,
        sqlite_where=sa.text("identity_id IS NOT NULL"),
        postgresql_where=sa.text("identity_id IS NOT NULL"),
    )
    op.create_table(
        "sign_in_flows",
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("browser", sa.LargeBinary(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("verifier", sa.Text(), nullable=False),
        sa.Column("next_path", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("state"),
    )
    op.create_index("flows_by_expiry", "sign_in_flows", ["expires_at"], unique=False)
    op.create_table(
        "provided_memberships",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("group_name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"]),
        sa.PrimaryKeyConstraint("source", "person_id", "group_name"),
    )
    op.create_table(
        "used_proofs",
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_index("proofs_by_expiry", "used_proofs", ["expires_at"], unique=False)
