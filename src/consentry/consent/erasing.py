"""Erase what people may ask to have erased, leaving the ledger as verifiable as before (design.md section 6)."""

from __future__ import annotations

from sqlalchemy import select, update

from consentry.actions import Action
from consentry.consent.core import Core
from consentry.consent.errors import NotAllowed, UnknownAction
from consentry.consent.lasting import ADMINS
from consentry.consent.model import ActionState, Voter
from consentry.consent.rows import load_decision
from consentry.ledger.entry import decode_entry
from consentry.store import Tx, tables
from consentry.store.record import record

_COMMITTED = ("identity", "reason", "resource", "summary")
_UNDER_WAY = (ActionState.ALLOWED, ActionState.PENDING, ActionState.APPROVED, ActionState.CLAIMED)
ERASED = "(erased)"


def erase(tx: Tx, core: Core, action_id: str, voter: Voter, reason: str) -> int:
    """The operation behind `Gate.erase`: values, salts, arguments and texts of a finished action are gone for good.

    Digests, ids, times and who decided stay; each erased commitment gets an entry that says so. Answers how many there
    were. Raises `UnknownAction`, and `NotAllowed` for who is no administrator or while the action is under way.
    """
    roster = core.directory.current(tx)
    person = roster.canonical(voter.person)
    if person not in roster.members(ADMINS):
        raise NotAllowed("erasing is for administrators")
    decision = load_decision(tx, action_id)
    if decision.state in _UNDER_WAY:
        raise NotAllowed(f"this action is {decision.state.value}: erase it once it has ended")
    _blank_action(tx, action_id)
    erased = 0
    for index, field, commitment in _commitments(tx, action_id, decision.request_id):
        tx.execute(
            update(tables.sealed)
            .where(tables.sealed.c.commitment == commitment)
            .values(salt=None, value=None, erased_at=tx.now_ms)
        )
        record(
            tx,
            "sealed.erased",
            {"index": index, "field": field, "person": person},
            sealed={"reason": reason},
            action_id=action_id,
        )
        erased += 1
    if decision.request_id is not None:
        _blank_request(tx, decision.request_id)
    return erased


def _commitments(tx: Tx, action_id: str, request_id: str | None) -> list[tuple[int, str, str]]:
    entries = tables.ledger_entries.c
    mine = entries.action_id == action_id
    if request_id is not None:
        mine = mine | (entries.request_id == request_id)
    found: list[tuple[int, str, str]] = []
    for row in tx.execute(select(entries.seq, entries.entry).where(mine).order_by(entries.seq)):
        entry = decode_entry(bytes(row.entry))
        found.extend((row.seq, name, entry.text(name)) for name in _COMMITTED if entry.text(name))
    return found


def _blank_action(tx: Tx, action_id: str) -> None:
    actions = tables.actions.c
    stored = tx.execute(select(actions.canonical).where(actions.id == action_id)).scalar_one_or_none()
    if stored is None:
        raise UnknownAction(f"there is no action `{action_id[:40]}`")
    action = Action.from_canonical(bytes(stored))  # type: ignore[call-overload]
    blank = Action(action.actor, action.operation, ERASED)
    tx.execute(
        update(tables.actions)
        .where(actions.id == action_id)
        .values(canonical=blank.canonical, resource=ERASED, seal=None, facts="{}", reason=None)
    )
    tx.execute(update(tables.claims).where(tables.claims.c.action_id == action_id).values(summary=None))


def _blank_request(tx: Tx, request_id: str) -> None:
    tx.execute(update(tables.requests).where(tables.requests.c.id == request_id).values(shown='{"sections":[]}'))
    tx.execute(update(tables.votes).where(tables.votes.c.request_id == request_id).values(reason=None))
