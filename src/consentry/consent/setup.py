"""What a start writes: that it started, its key, and the policies that hold."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from consentry import __version__
from consentry.actions import new_id
from consentry.consent.policies import SCHEMA_FILE, PolicyHolder, put_in_force
from consentry.errors import Unavailable
from consentry.policy.cedar import PolicySet
from consentry.store import Tx, tables
from consentry.store.record import record


class WrongKey(Unavailable):
    """The signing key is not the one that this ledger is signed with."""

    code = "ledger_wrong_key"


def ensure_started(tx: Tx, vkey: str) -> str:
    """Record the start under this key; a first start makes it the log's first key. Answers the new instance's id."""
    instance = new_id("ins")
    keys = tables.ledger_keys.c
    current = tx.execute(select(keys.vkey).where(keys.to_size.is_(None))).scalar_one_or_none()
    if current is None:
        tx.execute(tables.ledger_keys.insert(), {"vkey": vkey, "from_size": 0, "to_size": None})
    elif current != vkey:
        raise WrongKey(
            "the ledger is signed with another key: restore `ledger.key`, or rotate it with the old key at hand"
        )
    record(tx, "ledger.started", {"instance": instance, "new_key": vkey, "version": __version__})
    return instance


def ensure_policies(tx: Tx, holder: PolicyHolder, policy_dir: Path | None, initial: PolicySet) -> None:
    """Let the operator's files hold, where they are not what holds already.

    With the starter set, what was changed through the running server goes on to hold; with a directory, the files
    rule, and a change of them is recorded like every other.
    """
    if tx.versions.policy and (policy_dir is None or tx.versions.policy == initial.version):
        holder.current(tx)
        return
    schema_file = None if policy_dir is None else policy_dir / SCHEMA_FILE
    schema = schema_file.read_text("utf-8") if schema_file is not None and schema_file.exists() else None
    put_in_force(tx, initial, schema, by="files")
    holder.current(tx)
