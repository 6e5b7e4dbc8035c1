"""Every table. Times are milliseconds since the epoch by the database's clock; JSON is text, written by us.

Ids are our own (`consentry.actions.new_id`). What people must be able to erase lives in `sealed` and nowhere in the
ledger. See docs/architecture.md for what losing each table costs.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()

_BIG = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column that is exactly INTEGER."""

versions = Table(
    "versions",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("policy", Text, nullable=False),
    Column("roster", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
"""One row, read once in each transaction: which policy and which roster hold now."""

policy_sets = Table(
    "policy_sets",
    metadata,
    Column("version", Text, primary_key=True),
    Column("files", Text, nullable=False),
    Column("loaded_at", BigInteger, nullable=False),
)

persons = Table(
    "persons",
    metadata,
    Column("id", Text, primary_key=True),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("merged_into", Text, ForeignKey("persons.id")),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("email_key", name="one_person_per_email"),
)
"""`email_key` is the e-mail in the one spelling that counts (threat A5)."""

identities = Table(
    "identities",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person_id", Text, ForeignKey("persons.id"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("linked_at", BigInteger, nullable=False),
    UniqueConstraint("kind", "issuer", "subject", name="one_person_per_identity"),
)

memberships = Table(
    "memberships",
    metadata,
    Column("group_name", Text, primary_key=True),
    Column("person_id", Text, ForeignKey("persons.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
)

agents = Table(
    "agents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("owner_id", Text, ForeignKey("persons.id"), nullable=False),
    Column("holder_id", Text, ForeignKey("persons.id")),
    Column("kind", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# `holder_id` is the person who was shown the token that holds now: whoever can act as the agent is an author of what
# it does.

tokens = Table(
    "tokens",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False, index=True),
    Column("actor", Text),
    Column("assurance", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("ended_at", BigInteger),
)
"""SHA-256 of each bearer token: person sessions, agent tokens, exchanged tokens, one-time sign-in links."""

token_origins = Table(
    "token_origins",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("issued_by", Text),
    Column("provider", Text),
    Column("identity_id", Text),
    Column("thumbprint", Text),
    Index("origins_by_identity", "identity_id", sqlite_where=text("identity_id IS NOT NULL"),
          postgresql_where=text("identity_id IS NOT NULL")),
)  # fmt: skip
"""Where a token came from: who made the link, which provider vouched for whom; and the key that it is bound to."""

sign_in_flows = Table(
    "sign_in_flows",
    metadata,
    Column("state", LargeBinary, primary_key=True),
    Column("browser", LargeBinary, nullable=False),
    Column("provider", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("verifier", Text, nullable=False),
    Column("next_path", Text, nullable=False),
    Column("session_id", Text),
    Column("expires_at", BigInteger, nullable=False),
    Index("flows_by_expiry", "expires_at"),
)
"""Sign-ins that are at a provider now. A row is taken once, by the browser that began; state and browser are hashes."""

server_keys = Table(
    "server_keys",
    metadata,
    Column("name", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)
"""Keys that all replicas share, for what they give out and read again."""

notices = Table(
    "notices",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person_id", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("label", Text, nullable=False),
    Column("by", Text),
    Column("at", BigInteger, nullable=False),
)
"""What a person must hear of themselves: shown on every page until they have said that they did."""

provided_memberships = Table(
    "provided_memberships",
    metadata,
    Column("source", Text, primary_key=True),
    Column("person_id", Text, ForeignKey("persons.id"), primary_key=True),
    Column("group_name", Text, primary_key=True),
)
"""Which memberships a source (`oidc:NAME`) has made, and so may take away again."""

used_proofs = Table(
    "used_proofs",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("expires_at", BigInteger, nullable=False),
    Index("proofs_by_expiry", "expires_at"),
)
"""DPoP proofs and sign-ins that were taken, until they are too old to be shown again."""

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("person_id", Text, ForeignKey("persons.id"), nullable=False, index=True),
    Column("credential_id", LargeBinary, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("rp", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("transports", Text, nullable=False),
    Column("synced", Boolean, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Column("removed_at", BigInteger),
    UniqueConstraint("credential_id", name="one_passkey_per_credential"),
)
"""Public keys (SubjectPublicKeyInfo) by which persons sign their votes. A removed one stays: it stays removed."""

passkey_origins = Table(
    "passkey_origins",
    metadata,
    Column("passkey_id", Text, primary_key=True),
    Column("issued_by", Text),
)
"""Who made the link of the session in which a passkey was registered, where that was not its person."""

passkey_challenges = Table(
    "passkey_challenges",
    metadata,
    Column("challenge", LargeBinary, primary_key=True),
    Column("purpose", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("session_id", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
    Index("challenges_by_expiry", "expires_at"),
)
"""What passkeys were asked to sign, each once: by whom, in which session, until when."""

scim_users = Table(
    "scim_users",
    metadata,
    Column("id", Text, ForeignKey("persons.id"), primary_key=True),
    Column("user_name", Text, nullable=False),
    Column("user_name_key", Text, nullable=False),
    Column("external_id", Text),
    Column("active", Boolean, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    Column("deleted_at", BigInteger),
    UniqueConstraint("user_name_key", name="one_scim_user_per_name"),
)
"""Persons as the identity provider sees them; `id` is the person's. `active` is what the provider said last, and a
deleted one stays, so that whoever comes back is the same person."""

scim_groups = Table(
    "scim_groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("group_name", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("external_id", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("modified_at", BigInteger, nullable=False),
    UniqueConstraint("group_name", name="one_scim_group_per_group"),
)
"""Groups whose members the identity provider names; nobody else changes them."""

delegations = Table(
    "delegations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("from_person", Text, ForeignKey("persons.id"), nullable=False),
    Column("to_person", Text, ForeignKey("persons.id"), nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)

# `seal` is 32 random bytes from which the salts of the action's own commitments are derived: erasing it erases them.
# `claimable_until` stands while the grant that policy gave by itself is open and has no row in `grants`: one that is
# claimed with the submission needs none, and what happens to any other afterwards gives it one first.
actions = Table(
    "actions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("canonical", LargeBinary, nullable=False),
    Column("seal", LargeBinary),
    Column("facts", Text, nullable=False),
    Column("reason", Text),
    Column("idempotency_key", Text),
    Column("verdict", Text, nullable=False),
    Column("reasons", Text, nullable=False),
    Column("obligations", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("request_id", Text),
    Column("grant_id", Text),
    Column("submitted_at", BigInteger, nullable=False),
    Column("claimable_until", BigInteger),
    Index("actions_by_request", "request_id", sqlite_where=text("request_id IS NOT NULL"),
          postgresql_where=text("request_id IS NOT NULL")),
    Index("actions_claimable", "claimable_until", sqlite_where=text("claimable_until IS NOT NULL"),
          postgresql_where=text("claimable_until IS NOT NULL")),
    Index("actions_by_key", "actor_id", "idempotency_key", unique=True,
          sqlite_where=text("idempotency_key IS NOT NULL"), postgresql_where=text("idempotency_key IS NOT NULL")),
)  # fmt: skip

requests = Table(
    "requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("action_id", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stage", SmallInteger, nullable=False),
    Column("stage_since", BigInteger, nullable=False),
    Column("reminded_at", BigInteger),
    Column("escalated_at", BigInteger),
    Column("authors", Text, nullable=False),
    Column("obligations", Text, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("shown", Text, nullable=False),
    Column("shown_digest", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger),
    Index("one_pending_request_per_action", "digest", unique=True, sqlite_where=text("state = 'pending'"),
          postgresql_where=text("state = 'pending'")),
    Index("requests_by_state", "state", "expires_at"),
)  # fmt: skip

votes = Table(
    "votes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("request_id", Text, ForeignKey("requests.id"), nullable=False),
    Column("person_id", Text, ForeignKey("persons.id"), nullable=False),
    Column("counts_for", Text, ForeignKey("persons.id"), nullable=False),
    Column("stage", SmallInteger, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text),
    Column("assurance", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("shown_digest", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("request_id", "person_id", name="one_vote_per_person"),
    UniqueConstraint("request_id", "counts_for", name="one_vote_per_represented_person"),
)

vote_origins = Table(
    "vote_origins",
    metadata,
    Column("vote_id", Text, primary_key=True),
    Column("issued_by", Text, nullable=False),
)
"""Votes of sessions whose sign-in link somebody else had made, and who that was."""

grants = Table(
    "grants",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("action_id", Text),
    Column("request_id", Text),
    Column("digest", Text),
    Column("pattern", Text),
    Column("signer", Text),
    Column("parent_id", Text),
    Column("uses", Integer, nullable=False),
    Column("uses_left", Integer, nullable=False),
    Column("policy_version", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("grants_by_request", "request_id", sqlite_where=text("request_id IS NOT NULL"),
          postgresql_where=text("request_id IS NOT NULL")),
    Index("open_grants", "expires_at", sqlite_where=text("state = 'open'"), postgresql_where=text("state = 'open'")),
    Index("open_standing_grants", "kind", "state", sqlite_where=text("kind = 'standing'"),
          postgresql_where=text("kind = 'standing'")),
    CheckConstraint("uses_left >= 0", name="never_overspent"),
)  # fmt: skip

claims = Table(
    "claims",
    metadata,
    Column("id", Text, primary_key=True),
    Column("grant_id", Text, nullable=False),
    Column("action_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("claimed_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("settled_at", BigInteger),
    Column("summary", Text),
    Index("one_claim_per_action", "action_id", unique=True),
    Index("claims_by_grant", "grant_id"),
    Index("claims_in_flight", "lease_until", sqlite_where=text("state = 'claimed'"),
          postgresql_where=text("state = 'claimed'")),
)  # fmt: skip

post_reviews = Table(
    "post_reviews",
    metadata,
    Column("id", Text, primary_key=True),
    Column("action_id", Text, nullable=False),
    Column("grant_id", Text, nullable=False),
    Column("person_id", Text, ForeignKey("persons.id"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("closed_by", Text, ForeignKey("persons.id")),
    Column("closed_at", BigInteger),
    Column("note", Text),
)

sealed = Table(
    "sealed",
    metadata,
    Column("commitment", Text, primary_key=True),
    Column("action_id", Text, index=True),
    Column("request_id", Text, index=True),
    Column("name", Text, nullable=False),
    Column("salt", LargeBinary),
    Column("value", LargeBinary),
    Column("erased_at", BigInteger),
)
"""Values behind the ledger's commitments. Erasing a row's salt and value leaves the ledger as verifiable as before."""

ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("seq", _BIG, primary_key=True, autoincrement=False),
    Column("entry", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("action_id", Text),
    Column("request_id", Text),
    Index("entries_by_action", "action_id", sqlite_where=text("action_id IS NOT NULL"),
          postgresql_where=text("action_id IS NOT NULL")),
    Index("entries_by_request", "request_id", sqlite_where=text("request_id IS NOT NULL"),
          postgresql_where=text("request_id IS NOT NULL")),
)  # fmt: skip

ledger_state = Table(
    "ledger_state",
    metadata,
    Column("id", SmallInteger, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("tiled", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

ledger_outbox = Table(
    "ledger_outbox",
    metadata,
    Column("id", _BIG, primary_key=True),
    Column("xid", Text, nullable=False),
    Column("entry", LargeBinary, nullable=False),
    Column("action_id", Text),
    Column("request_id", Text),
)
"""PostgreSQL only: entries committed with their transaction and not yet given their place in the tree."""

journal_marks = Table(
    "journal_marks",
    metadata,
    Column("instance", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)
"""The last journal record of each instance that reached the ledger, noted in the same transaction."""

ledger_tiles = Table(
    "ledger_tiles",
    metadata,
    Column("path", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

ledger_checkpoints = Table(
    "ledger_checkpoints",
    metadata,
    Column("size", _BIG, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
)

ledger_keys = Table(
    "ledger_keys",
    metadata,
    Column("vkey", Text, primary_key=True),
    Column("from_size", BigInteger, nullable=False),
    Column("to_size", BigInteger),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Text, primary_key=True),
    Column("target", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Column("last_error", Text),
    Index("outbox_due", "next_at", sqlite_where=text("done_at IS NULL"), postgresql_where=text("done_at IS NULL")),
)
"""What is to be told to somebody outside, committed with the change that it tells of."""

channel_messages = Table(
    "channel_messages",
    metadata,
    Column("id", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("request_id", Text, nullable=False, index=True),
    Column("target", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("address", Text),
    Column("provider_id", Text),
    Column("wanted", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("tried", Boolean, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_at", BigInteger),
    Column("last_error", Text),
    UniqueConstraint("channel", "request_id", "target", "role", name="one_message_per_target"),
    Index("channel_messages_due", "channel", "next_at", sqlite_where=text("next_at IS NOT NULL"),
          postgresql_where=text("next_at IS NOT NULL")),
)  # fmt: skip
"""One message about one request at one place. `wanted` counts what there is to tell, `sent` how much was told.

`tried` says that a first sending has begun whose end is not known; `next_at` is null when there is nothing to do.
"""

channel_notes = Table(
    "channel_notes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("message_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("provider_id", Text),
    Column("tried", Boolean, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("done_at", BigInteger),
    Index("channel_notes_open", "message_id", sqlite_where=text("done_at IS NULL"),
          postgresql_where=text("done_at IS NULL")),
)  # fmt: skip
"""What is said in a message's thread, in the order of ids."""

channel_lanes = Table(
    "channel_lanes",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("lane", Text, primary_key=True),
    Column("next_at", BigInteger, nullable=False),
)
"""When a place may be written to again, over all replicas; the lane `*` holds a whole provider."""

channel_links = Table(
    "channel_links",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)
"""One-time links by which a signed-in person says that a chat user is them; SHA-256 only."""

channel_origins = Table(
    "channel_origins",
    metadata,
    Column("identity_id", Text, primary_key=True),
    Column("issued_by", Text, nullable=False),
)
"""Accounts that were linked in a session whose sign-in link somebody else had made: what they decide says so."""

channel_offers = Table(
    "channel_offers",
    metadata,
    Column("id", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("shown_digest", Text, nullable=False),
    Column("stage", SmallInteger, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("used_at", BigInteger),
)
"""What a chat user was shown when they were asked to confirm. Their client carries the id, and nothing else."""

channel_places = Table(
    "channel_places",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("address", Text, nullable=False),
    Column("service_url", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""Where a chat user is written to, for chats in which nobody may be written to unasked; and by which service."""

channel_seen = Table(
    "channel_seen",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("at", BigInteger, nullable=False, index=True),
)
"""Hashes of callbacks that were taken, so that a replay does nothing."""
