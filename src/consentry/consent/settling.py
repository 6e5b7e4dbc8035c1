"""`settle` for many claims at once: the same checks and entries as one by one, in a handful of statements.

For doors, which learn of many outcomes in the same moment and have nobody waiting for the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Row as Found
from sqlalchemy import bindparam, select, update

from consentry.actions import Actor
from consentry.consent.claiming import is_by, outcome_of, record_settled
from consentry.consent.core import wake_joined
from consentry.consent.errors import AlreadySettled, UnknownAction
from consentry.consent.model import OutcomeStatus
from consentry.consent.states import ClaimState
from consentry.consent.words import check_text
from consentry.errors import ConsentryError
from consentry.store import Row, Tx, UnfitText, tables

_C, _A = tables.claims.c, tables.actions.c
_FIND = (
    select(_C.id, _C.action_id, _C.state, _A.canonical, _A.seal, _A.request_id)
    .join(tables.actions, _A.id == _C.action_id)
    .with_for_update(of=tables.claims)
)
_END = (
    update(tables.claims)
    .where(_C.id == bindparam("claim"))
    .values(state=bindparam("ended"), settled_at=bindparam("at"), summary=bindparam("said"))
)
_FINAL = (ClaimState.SUCCEEDED, ClaimState.FAILED)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of one claim, as the one who claimed says."""

    claim_id: str
    by: Actor
    status: OutcomeStatus
    summary: str | None = None


def settle_all(tx: Tx, settlements: Sequence[Settlement]) -> tuple[ConsentryError | None, ...]:
    """The operation behind `Gate.settle_all`: for each, why it could not be settled, or `None`."""
    rows = {str(row.id): row for row in tx.execute(_FIND.where(_C.id.in_([one.claim_id for one in settlements])))}
    answers: list[ConsentryError | None] = []
    changed: list[Row] = []
    done: set[str] = set()
    for one in settlements:
        row = rows.get(one.claim_id)
        problem = _problem(row, one, done)
        answers.append(problem)
        if problem is not None or row is None:
            continue
        done.add(one.claim_id)
        ended = outcome_of(ClaimState(row.state), one.status)
        changed.append({"claim": row.id, "ended": ended.value, "at": tx.now_ms, "said": one.summary})
        record_settled(tx, one.claim_id, str(row.action_id), ended, one.summary, row.seal)
        wake_joined(tx, row.action_id, row.request_id)
    if changed:
        tx.execute(_END, changed)
    return tuple(answers)


def _problem(row: Found[object] | None, one: Settlement, done: set[str]) -> ConsentryError | None:
    try:
        check_text(summary=one.summary)
    except UnfitText as error:
        return error
    if row is None or not is_by(row.canonical, one.by):
        return UnknownAction(f"there is no claim `{one.claim_id[:40]}` of yours")
    if ClaimState(row.state) in _FINAL or one.claim_id in done:
        return AlreadySettled("the outcome of this claim was reported before")
    return None
