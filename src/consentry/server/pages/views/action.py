"""One action: where it stands, what it left in the ledger, and what a verifier says of its receipt. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consentry.actions import Action
from consentry.consent.model import Decision
from consentry.ledger.entry import Entry, decode_entry
from consentry.ledger.entry_types import ENTRY_TYPES
from consentry.ledger.keys import LogKey
from consentry.ledger.receipt import Receipt
from consentry.ledger.report import Report
from consentry.ledger.verify import verify_receipt
from consentry.policy.model import Roster
from consentry.server.pages.states import Look, look
from consentry.server.pages.views.names import Party, chain

_TONES = {
    "request.opened": "wait",
    "request.approved": "good",
    "request.denied": "bad",
    "action.denied": "bad",
    "action.allowed": "good",
    "breakglass.used": "odd",
    "grant.void": "bad",
    "grant.opened": "good",
}


@dataclass(frozen=True, slots=True)
class Event:
    """One ledger entry as a line of the timeline. `details` are (label, value) in ids and digests only."""

    index: int
    type: str
    meaning: str
    tone: str
    at_ms: int
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ActionView:
    """The page of one action. `report` is what the verifier of `consentry verify` says of the receipt."""

    id: str
    digest: str
    operation: str
    resource: str
    chain: tuple[Party, ...]
    verdict: Look
    state: Look
    at_ms: int
    request_id: str | None
    grant_id: str | None
    reasons: tuple[tuple[str, str], ...]
    decided_reason: str | None
    summary: str | None
    events: tuple[Event, ...]
    report: Report
    outcome: Look
    may_apply: bool


def view(
    action: Action, decision: Decision, receipt: bytes, keys: Sequence[LogKey], roster: Roster, *, may_apply: bool
) -> ActionView:
    """Lay out an action with its receipt, verified here and now."""
    report = verify_receipt(receipt, keys)
    entries = [(one.index, decode_entry(one.entry)) for one in Receipt.decode(receipt).entries]
    return ActionView(
        id=decision.action_id,
        digest=decision.digest,
        operation=action.operation,
        resource=action.resource,
        chain=chain(action.actor, roster),
        verdict=look(decision.verdict.value),
        state=look(decision.state.value),
        at_ms=decision.submitted_at_ms,
        request_id=decision.request_id,
        grant_id=decision.grant_id,
        reasons=tuple((one.policy, one.text) for one in decision.reasons),
        decided_reason=decision.decided_reason,
        summary=None if decision.claim is None else decision.claim.summary,
        events=tuple(_event(index, entry, roster) for index, entry in entries),
        report=report,
        outcome=look(report.outcome.value),
        may_apply=may_apply,
    )


def _event(index: int, entry: Entry, roster: Roster) -> Event:
    meaning = ENTRY_TYPES[entry.type].meaning.partition(";")[0]
    return Event(index, entry.type, meaning, _tone(entry), _ms(entry.time), _details(entry, roster))


def _tone(entry: Entry) -> str:
    if entry.type == "request.vote":
        return look(entry.text("verdict")).tone
    if entry.type == "grant.settled":
        return look(entry.text("status")).tone
    return _TONES.get(entry.type, "idle")


def _details(entry: Entry, roster: Roster) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for name in ("person", "approvers", "by", "verdict", "status", "cause", "channel", "level", "uses"):
        value = entry.fields.get(name)
        if value is None:
            continue
        ids = [value] if isinstance(value, str | int) else list(value)
        shown = ", ".join(_named(str(one), roster) for one in ids)
        found.append((name, shown))
    return tuple(found)


def _named(identifier: str, roster: Roster) -> str:
    person = roster.persons.get(identifier)
    agent = roster.agents.get(identifier)
    return person.name if person is not None else agent.name if agent is not None else identifier


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
