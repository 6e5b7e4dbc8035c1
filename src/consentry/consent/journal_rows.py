"""What was journaled becomes rows and entries of the store: those that a transaction of its own would have written."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from sqlalchemy import select, update

from consentry.consent.claiming import outcome_of, record_settled
from consentry.consent.settling import Settlement
from consentry.consent.states import ClaimState
from consentry.ledger.entry import FieldValue, encode_entry
from consentry.ledger.journal import Batch
from consentry.store import Tx, tables
from consentry.store.record import record, spell_time

Told = Callable[[str], Settlement | None]
"""The outcome of the action of this id, where its caller has told it already."""


def mark(tx: Tx, instance: str) -> int | None:
    """The last counter of an instance that reached the ledger."""
    marks = tables.journal_marks.c
    last: int | None = tx.execute(select(marks.last).where(marks.instance == instance)).scalar_one_or_none()  # type: ignore[assignment]
    return last


def write(tx: Tx, batch: Batch, told: Told) -> frozenset[str]:
    """Records become rows and entries, and the mark moves, in one transaction: nothing twice, nothing lost.

    Answers of which claims the outcome went along.
    """
    settled = set()
    marks = tables.journal_marks.c
    last = mark(tx, batch.instance)
    for gap in batch.gaps:
        fields: dict[str, FieldValue | None] = {
            "instance": gap.instance,
            "gap": gap.kind,
            "first": gap.first,
            "last": gap.last,
        }
        record(tx, "ledger.gap", fields)
    for place, data in enumerate(batch.records):
        counter = batch.first + place
        if last is None or counter > last:
            outcome = _write_one(tx, batch.instance, counter, orjson.loads(data), told)
            if outcome is not None:
                settled.add(outcome.claim_id)
    if last is None:
        tx.execute(tables.journal_marks.insert(), {"instance": batch.instance, "last": batch.last})
    else:
        tx.execute(update(tables.journal_marks).where(marks.instance == batch.instance).values(last=batch.last))
    return frozenset(settled)


def _write_one(tx: Tx, instance: str, counter: int, kept: dict[str, object], told: Told) -> Settlement | None:
    entry = kept["entry"]
    assert isinstance(entry, dict)
    fields = {name: value for name, value in entry.items() if value is not None}
    action_id, at = str(entry["action"]), int(str(kept["at"]))
    lease, seal = int(str(kept["lease"])), bytes.fromhex(str(kept["seal"]))
    outcome = told(action_id)
    state = ClaimState.CLAIMED if outcome is None else outcome_of(ClaimState.CLAIMED, outcome.status)
    tx.insert(
        tables.actions,
        {
            "id": action_id,
            "digest": entry["digest"],
            "operation": entry["operation"],
            "resource": str(kept["resource"]),
            "actor_id": str(kept["actor"]),
            "canonical": str(kept["canonical"]).encode("utf-8"),
            "seal": seal,
            "facts": str(kept["facts"]),
            "reason": None if kept["reason"] is None else str(kept["reason"]),
            "idempotency_key": None,
            "verdict": "allow",
            "reasons": str(kept["reasons"]),
            "obligations": str(kept["obligations"]),
            "policy_version": entry["policy"],
            "request_id": None,
            "grant_id": str(kept["grant"]),
            "submitted_at": at,
            "claimable_until": None,
        },
    )
    tx.insert(
        tables.claims,
        {
            "id": str(kept["claim"]),
            "grant_id": str(kept["grant"]),
            "action_id": action_id,
            "state": state.value,
            "claimed_at": at,
            "lease_until": lease,
            "settled_at": None if outcome is None else tx.now_ms,
            "summary": None if outcome is None else outcome.summary,
        },
    )
    time = spell_time(at)
    journaled = {**fields, "instance": instance, "counter": counter, "level": "L0"}
    tx.append(encode_entry("action.journaled", time, journaled), action_id=action_id)
    claimed = {
        "claim": str(kept["claim"]),
        "action": action_id,
        "digest": entry["digest"],
        "by": str(kept["actor"]),
        "level": "L0",
        "lease": spell_time(lease),
    }
    tx.append(encode_entry("grant.claimed", time, claimed), action_id=action_id)
    if outcome is not None:
        record_settled(tx, outcome.claim_id, action_id, state, outcome.summary, seal)
        tx.wake(action_id)
    return outcome
