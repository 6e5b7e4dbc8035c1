"""What was journaled becomes rows and entries of the store: those that a transaction of its own would have written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, Self

import orjson
from sqlalchemy import bindparam, select, update

from consentry.consent.claiming import outcome_of, record_settled
from consentry.consent.settling import Settlement
from consentry.consent.states import ClaimState
from consentry.ledger.entry import FieldValue, encode_entry
from consentry.ledger.journal import Batch
from consentry.store import Tx, tables
from consentry.store.record import record, spell_time

_M = tables.journal_marks.c
_MARK = select(_M.last).where(_M.instance == bindparam("of"))
_MOVE = update(tables.journal_marks).where(_M.instance == bindparam("of")).values(last=bindparam("to"))


class Journaled(NamedTuple):
    """An action at level L0 that was claimed as it was submitted: everything that its rows and entries are made of.

    `facts`, `reasons` and `obligations` are columns; `fields` is what the entry says of the judgement.
    """

    action_id: str
    digest: str
    operation: str
    resource: str
    actor_id: str
    canonical: bytes
    seal: bytes
    facts: str
    reason: str | None
    reasons: str
    obligations: str
    policy_version: str
    fields: Mapping[str, FieldValue | None]
    claim_id: str
    grant_id: str
    at_ms: int
    lease_until_ms: int

    def encode(self) -> bytes:
        """A record of the journal."""
        return orjson.dumps(
            {
                "canonical": self.canonical.decode("utf-8"),
                "seal": self.seal.hex(),
                "facts": self.facts,
                "reason": self.reason,
                "actor": self.actor_id,
                "resource": self.resource,
                "reasons": self.reasons,
                "obligations": self.obligations,
                "entry": self.fields,
                "claim": self.claim_id,
                "grant": self.grant_id,
                "at": self.at_ms,
                "lease": self.lease_until_ms,
            }
        )

    @classmethod
    def decode(cls, data: bytes) -> Self:
        kept = orjson.loads(data)
        fields = kept["entry"]
        return cls(
            action_id=fields["action"],
            digest=fields["digest"],
            operation=fields["operation"],
            resource=kept["resource"],
            actor_id=kept["actor"],
            canonical=kept["canonical"].encode("utf-8"),
            seal=bytes.fromhex(kept["seal"]),
            facts=kept["facts"],
            reason=kept["reason"],
            reasons=kept["reasons"],
            obligations=kept["obligations"],
            policy_version=fields["policy"],
            fields=fields,
            claim_id=kept["claim"],
            grant_id=kept["grant"],
            at_ms=kept["at"],
            lease_until_ms=kept["lease"],
        )


Known = Callable[[int], tuple[Journaled, Settlement | None] | None]
"""The record of this counter and its outcome, where its process is this one and its caller has told it already."""


def unknown(_counter: int) -> None:
    """For records of a process that died: they are read, and nobody knows their outcomes."""


def mark(tx: Tx, instance: str) -> int | None:
    """The last counter of an instance that reached the ledger."""
    last: int | None = tx.execute(_MARK, {"of": instance}).scalar_one_or_none()  # type: ignore[assignment]
    return last


def write(tx: Tx, batch: Batch, known: Known) -> frozenset[str]:
    """Records become rows and entries, and the mark moves, in one transaction: nothing twice, nothing lost.

    Answers of which claims the outcome went along.
    """
    settled = set()
    last = mark(tx, batch.instance)
    for gap in batch.gaps:
        fields: dict[str, FieldValue | None] = {
            "instance": gap.instance,
            "gap": gap.kind,
            "first": gap.first,
            "last": gap.last,
        }
        record(tx, "ledger.gap", fields)
    for counter, data in enumerate(batch.records, batch.first):
        if last is None or counter > last:
            one, outcome = known(counter) or (Journaled.decode(data), None)
            _write_one(tx, batch.instance, counter, one, outcome)
            if outcome is not None:
                settled.add(outcome.claim_id)
    if last is None:
        tx.execute(tables.journal_marks.insert(), {"instance": batch.instance, "last": batch.last})
    else:
        tx.execute(_MOVE, {"of": batch.instance, "to": batch.last})
    return frozenset(settled)


def _write_one(tx: Tx, instance: str, counter: int, one: Journaled, outcome: Settlement | None) -> None:
    state = ClaimState.CLAIMED if outcome is None else outcome_of(ClaimState.CLAIMED, outcome.status)
    _write_rows(tx, one, outcome, state)
    time = spell_time(one.at_ms)
    fields = {name: value for name, value in one.fields.items() if value is not None}
    fields["instance"], fields["counter"], fields["level"] = instance, counter, "L0"
    tx.append(encode_entry("action.journaled", time, fields), action_id=one.action_id)
    claimed = {
        "claim": one.claim_id,
        "action": one.action_id,
        "digest": one.digest,
        "by": one.actor_id,
        "level": "L0",
        "lease": spell_time(one.lease_until_ms),
    }
    tx.append(encode_entry("grant.claimed", time, claimed), action_id=one.action_id)
    if outcome is not None:
        record_settled(tx, one.claim_id, one.action_id, state, outcome.summary, one.seal)
        tx.wake(one.action_id)


def _write_rows(tx: Tx, one: Journaled, outcome: Settlement | None, state: ClaimState) -> None:
    tx.insert(
        tables.actions,
        {
            "id": one.action_id,
            "digest": one.digest,
            "operation": one.operation,
            "resource": one.resource,
            "actor_id": one.actor_id,
            "canonical": one.canonical,
            "seal": one.seal,
            "facts": one.facts,
            "reason": one.reason,
            "idempotency_key": None,
            "verdict": "allow",
            "reasons": one.reasons,
            "obligations": one.obligations,
            "policy_version": one.policy_version,
            "request_id": None,
            "grant_id": one.grant_id,
            "submitted_at": one.at_ms,
            "claimable_until": None,
        },
    )
    tx.insert(
        tables.claims,
        {
            "id": one.claim_id,
            "grant_id": one.grant_id,
            "action_id": one.action_id,
            "state": state.value,
            "claimed_at": one.at_ms,
            "lease_until": one.lease_until_ms,
            "settled_at": None if outcome is None else tx.now_ms,
            "summary": None if outcome is None else outcome.summary,
        },
    )
