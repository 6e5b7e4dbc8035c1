"""What time does by itself: expiry, leases that end, reminders, escalation.

Nothing depends on the sweeper for correctness: whoever reads applies the clock. It writes down, tells and wakes.
"""

from __future__ import annotations

from sqlalchemy import BindParameter, bindparam, select, update

from consentry.consent.claiming import record_settled
from consentry.consent.core import Core, end_grant, expire_request, tell, wake_joined
from consentry.consent.notify import announce
from consentry.consent.rows import load, load_request, write_down
from consentry.consent.states import CLAIM, ClaimEvent, ClaimState, GrantEvent, RequestState, after
from consentry.ledger.entry import FieldValue
from consentry.policy.model import Obligations, Stage
from consentry.store import Row, Tx, tables
from consentry.store.record import record

BATCH = 200
_R, _G, _C, _A = tables.requests.c, tables.grants.c, tables.claims.c, tables.actions.c
_NOW: BindParameter[int] = bindparam("now")

# Statements of every look are made once: making one takes longer than running it.
_LOOKS = tuple(
    look.limit(1)
    for look in (
        select(_A.id).where(_A.claimable_until <= _NOW),
        select(_R.id).where(_R.state == "pending", _R.expires_at <= _NOW),
        select(_G.id).where(_G.state == "open", _G.expires_at <= _NOW),
        select(_C.id).where(_C.state == "claimed", _C.lease_until <= _NOW),
    )
)
_TO_NUDGE = select(
    _R["id", "obligations", "stage", "stage_since", "reminded_at", "escalated_at"]  # type: ignore[call-overload]
).where(
    _R.state == RequestState.PENDING.value,
    _R.expires_at > _NOW,
    (_R.obligations.contains('"remind_after_ms"') & _R.reminded_at.is_(None))
    | (_R.obligations.contains('"escalation"') & _R.escalated_at.is_(None)),
)


def due(tx: Tx) -> bool:
    """Whether there is anything to do: the cheap look before a write transaction."""
    now: Row = {"now": tx.now_ms}
    return any(tx.execute(look, now).one_or_none() is not None for look in _LOOKS) or bool(_nudges(tx))


def sweep(tx: Tx, core: Core) -> int:
    """Do what is due, up to a batch of each kind. Answers how much was done."""
    return (
        _expire_requests(tx, core)
        + _expire_grants(tx)
        + _end_leases(tx, core)
        + sum(_nudge(tx, core, r) for r in _nudges(tx))
    )


def _expire_requests(tx: Tx, core: Core) -> int:
    requests = tables.requests.c
    query = (
        select(requests.id)
        .where(requests.state == "pending", requests.expires_at <= tx.now_ms)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    ids = [str(one) for one in tx.execute(query).scalars()]
    for request_id in ids:
        expire_request(tx, core, load_request(tx, request_id))
    return len(ids)


def _expire_grants(tx: Tx) -> int:
    grants, actions = tables.grants.c, tables.actions.c
    lapsed = select(actions.grant_id).where(actions.claimable_until <= tx.now_ms).limit(BATCH)
    for grant_id in tx.execute(lapsed.with_for_update(skip_locked=True)).scalars().all():
        write_down(tx, str(grant_id))
    query = (
        select(grants.id, grants.kind, grants.action_id, grants.request_id)
        .where(grants.state == "open", grants.expires_at <= tx.now_ms)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    rows = tx.execute(query).all()
    for row in rows:
        if row.kind == "standing":
            tx.execute(update(tables.grants).where(grants.id == row.id).values(state="expired"))
            record(tx, "standing.exhausted", {"standing": row.id}, request_id=row.id)
        else:
            end_grant(tx, row.id, GrantEvent.TIME, action_id=row.action_id, request_id=row.request_id, entry={})
    return len(rows)


def _end_leases(tx: Tx, core: Core) -> int:
    """A claim whose lease ended unreported: what happened is unknown, and people are told (threat C3)."""
    claims = tables.claims.c
    query = (
        select(claims.id, claims.action_id, tables.actions.c.request_id)
        .join(tables.actions, tables.actions.c.id == claims.action_id)
        .where(claims.state == "claimed", claims.lease_until <= tx.now_ms)
        .limit(BATCH)
        .with_for_update(of=tables.claims, skip_locked=True)
    )
    rows = tx.execute(query).all()
    for row in rows:
        state = after(CLAIM, ClaimState.CLAIMED, ClaimEvent.LEASE_END)
        tx.execute(update(tables.claims).where(claims.id == row.id).values(state=state.value))
        record_settled(tx, row.id, row.action_id, state, None, None)
        announce(tx, core.settings.targets, "claim.unknown", {"claim": row.id, "action": row.action_id})
        wake_joined(tx, row.action_id, row.request_id)
    return len(rows)


def _nudges(tx: Tx) -> list[str]:
    """Pending requests whose stage asks for a reminder or an escalation by now, up to a batch."""
    found = []
    for row in tx.execute(_TO_NUDGE, {"now": tx.now_ms}):
        stage = Obligations.from_json(load(row.obligations)).stages[row.stage]
        passed = tx.now_ms - row.stage_since
        if _remind(stage, row.reminded_at, passed) or _escalate(stage, row.escalated_at, passed):
            found.append(row.id)
    return found[:BATCH]


def _remind(stage: Stage, reminded_at: int | None, passed_ms: int) -> bool:
    return stage.remind_after_ms is not None and reminded_at is None and passed_ms >= stage.remind_after_ms


def _escalate(stage: Stage, escalated_at: int | None, passed_ms: int) -> bool:
    return stage.escalation is not None and escalated_at is None and passed_ms >= stage.escalation.after_ms


def _nudge(tx: Tx, core: Core, request_id: str) -> int:
    request = load_request(tx, request_id, lock=True)
    if request.state is not RequestState.PENDING:
        return 0
    entry: dict[str, FieldValue | None] = {"request": request.id, "stage": request.stage}
    where = tables.requests.c.id == request.id
    done = 0
    stage, passed = request.obligations.stages[request.stage], tx.now_ms - request.stage_since_ms
    if _remind(stage, request.reminded_at_ms, passed):
        tx.execute(update(tables.requests).where(where).values(reminded_at=tx.now_ms))
        record(tx, "request.reminded", entry, action_id=request.action_id, request_id=request.id)
        tell(tx, core, request, "request.reminded")
        done += 1
    if _escalate(stage, request.escalated_at_ms, passed):
        step = stage.escalation
        assert step is not None
        tx.execute(update(tables.requests).where(where).values(escalated_at=tx.now_ms))
        record(
            tx,
            "request.escalated",
            {**entry, "reviewers": [step.widen_to] if "@" not in step.widen_to else None},
            action_id=request.action_id,
            request_id=request.id,
        )
        tell(tx, core, request, "request.escalated")
        done += 1
    return done
