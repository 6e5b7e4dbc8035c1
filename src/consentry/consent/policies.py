"""Which policy set holds now, on every replica: named in the store, kept parsed here."""

from __future__ import annotations

from sqlalchemy import select

from consentry.consent.rows import dump, load
from consentry.errors import Unavailable
from consentry.policy.cedar import PolicySet
from consentry.store import Tx, tables
from consentry.store.record import record

SCHEMA_FILE = "schema.cedarschema"


class PolicyMissing(Unavailable):
    """The store names a policy set that it does not hold, so nothing can be judged."""

    code = "policy_missing"


class PolicyHolder:
    """The policy set in force. A transaction that sees another version loads that one first (threat B11)."""

    def __init__(self, initial: PolicySet) -> None:
        self._set = initial

    @property
    def latest(self) -> PolicySet:
        """The newest set seen; a transaction decides with `current` whether it still holds."""
        return self._set

    def current(self, tx: Tx) -> PolicySet:
        """The set that holds in this transaction. Raises `PolicyMissing`."""
        if self._set.version != tx.versions.policy:
            self._set = load_policies(tx, tx.versions.policy)
        return self._set


def load_policies(tx: Tx, version: str) -> PolicySet:
    """Read a stored policy set. Raises `PolicyMissing`, also where the stored text is not what its version says."""
    text = tx.execute(
        select(tables.policy_sets.c.files).where(tables.policy_sets.c.version == version)
    ).scalar_one_or_none()
    if text is None:
        raise PolicyMissing(f"policy set `{version[:12]}` is not in the store: restore it, or load policies anew")
    files = {name: str(content) for name, content in load(str(text)).items()}
    schema = files.pop(SCHEMA_FILE, None)
    policies = PolicySet.load(files, schema)
    if policies.version != version:
        raise PolicyMissing(f"policy set `{version[:12]}` was altered in the store, or is of another release")
    return policies


def put_in_force(
    tx: Tx,
    policies: PolicySet,
    schema: str | None,
    *,
    by: str | None,
    action_id: str | None = None,
    digest: str | None = None,
    request_id: str | None = None,
) -> None:
    """Store a set under its version and let it hold from this transaction on; recorded as `policy.changed`."""
    old = tx.versions.policy
    stored = tx.execute(
        select(tables.policy_sets.c.version).where(tables.policy_sets.c.version == policies.version)
    ).scalar_one_or_none()
    if stored is None:
        files = {**policies.files, **({SCHEMA_FILE: schema} if schema is not None else {})}
        tx.insert(
            tables.policy_sets,
            {"version": policies.version, "files": dump(files), "loaded_at": tx.now_ms},
        )
    tx.set_policy(policies.version)
    record(
        tx,
        "policy.changed",
        {
            "new_policy": policies.version,
            "policy": old or None,
            "by": by,
            "action": action_id,
            "digest": digest,
            "request": request_id,
        },
        action_id=action_id,
        request_id=request_id,
    )
