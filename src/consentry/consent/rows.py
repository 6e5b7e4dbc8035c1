"""Between rows and frozen types. Reading applies the clock: what has run out reads as expired (invariant 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeAlias, cast

import orjson
from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, or_, select, update

from consentry.actions import Action, Actor, Json
from consentry.consent.errors import UnknownAction, UnknownGrant, UnknownRequest
from consentry.consent.model import (
    ActionState,
    BallotVerdict,
    Claim,
    Decision,
    Grant,
    Request,
    Vote,
)
from consentry.consent.states import ClaimState, GrantState, RequestState
from consentry.policy.model import Assurance, Facts, Obligations, Reason, Verdict
from consentry.store import Tx, tables

AnyRow: TypeAlias = "Row[object]"

_A, _R, _G, _C = tables.actions.c, tables.requests.c, tables.grants.c, tables.claims.c
_O = tables.vote_origins.c


def dump(value: Json | Mapping[str, Json]) -> str:
    """JSON for a column."""
    return orjson.dumps(value, default=dict).decode("utf-8")


def load(text: str) -> dict[str, Json]:
    """JSON from a column of ours."""
    return cast(dict[str, Json], orjson.loads(text))


def dump_reasons(reasons: Iterable[Reason]) -> str:
    return dump([[reason.policy, reason.text] for reason in reasons])


def _reasons(text: str) -> tuple[Reason, ...]:
    return tuple(Reason(policy, words) for policy, words in orjson.loads(text))


DECISION = (
    select(
        tables.actions,
        _R.state.label("request_state"),
        _R.expires_at.label("request_expires_at"),
        _G.state.label("grant_state"),
        _G.kind.label("grant_kind"),
        _G.expires_at.label("grant_expires_at"),
        _C.id.label("claim_id"),
        _C.action_id.label("claim_action_id"),
        _C.grant_id.label("claim_grant_id"),
        _C.state.label("claim_state"),
        _C.claimed_at,
        _C.lease_until,
        _C.settled_at,
        _C.summary,
    )
    .outerjoin(tables.requests, _R.id == _A.request_id)
    .outerjoin(tables.grants, _G.id == _A.grant_id)
    .outerjoin(tables.claims, _C.grant_id == _A.grant_id)
)
"""One row an action, with its request, its grant and the claim that used it."""

# Statements of every call are made once: making one takes longer than running it.
_DECISION_OF = DECISION.where(_A.id == bindparam("action"))
_CANONICAL_OF = select(_A.canonical).where(_A.id == bindparam("action"))
_GRANT_OF = select(tables.grants).where(_G.id == bindparam("grant"))
_GRANT_LOCKED = _GRANT_OF.with_for_update()


def load_decision(tx: Tx, action_id: str) -> Decision:
    """Raises `UnknownAction`."""
    row = tx.execute(_DECISION_OF, {"action": action_id}).one_or_none()
    if row is None:
        raise UnknownAction(f"there is no action `{action_id[:40]}`")
    decision = decision_of(row, tx.now_ms)
    if decision.request_id is None or decision.state not in _DECIDED_BY:
        return decision
    return replace(decision, decided_reason=_last_word(tx, decision.request_id, _DECIDED_BY[decision.state]))


def _last_word(tx: Tx, request_id: str, verdict: BallotVerdict) -> str | None:
    """The reason of the last voter who said so: whoever denied, or completed the quorum."""
    votes = tables.votes.c
    said = select(votes.reason).where(votes.request_id == request_id, votes.verdict == verdict.value)
    word = tx.execute(said.order_by(votes.at.desc(), votes.id.desc()).limit(1)).scalar_one_or_none()
    return None if word is None else str(word)


_DECIDED_BY: Mapping[ActionState, BallotVerdict] = {
    ActionState.DENIED: BallotVerdict.DENY,
    ActionState.APPROVED: BallotVerdict.APPROVE,
    ActionState.CLAIMED: BallotVerdict.APPROVE,
    ActionState.SUCCEEDED: BallotVerdict.APPROVE,
    ActionState.FAILED: BallotVerdict.APPROVE,
    ActionState.UNKNOWN: BallotVerdict.APPROVE,
}


def decision_of(row: AnyRow, now_ms: int) -> Decision:
    """A row of `DECISION` at a time."""
    state, expires = _state(row, now_ms)
    claim = None
    if row.claim_id is not None:
        claim = Claim(
            row.claim_id,
            row.claim_action_id,
            row.claim_grant_id,
            _claim_state(row.claim_state, row.lease_until, now_ms),
            row.claimed_at,
            row.lease_until,
            row.settled_at,
            row.summary,
        )
    return Decision(
        action_id=row.id,
        digest=row.digest,
        verdict=Verdict(row.verdict),
        reasons=_reasons(row.reasons),
        obligations=Obligations.from_json(load(row.obligations)),
        state=state,
        policy_version=row.policy_version,
        submitted_at_ms=row.submitted_at,
        request_id=row.request_id,
        grant_id=row.grant_id,
        expires_at_ms=expires,
        claim=claim,
    )


def _state(row: AnyRow, now_ms: int) -> tuple[ActionState, int | None]:
    if row.claim_id is not None:
        return ActionState(_claim_state(row.claim_state, row.lease_until, now_ms).value), None
    if row.grant_state is not None:
        state = GrantState(row.grant_state)
        if state is GrantState.OPEN:
            if now_ms >= row.grant_expires_at:
                return ActionState.EXPIRED, row.grant_expires_at
            allowed = row.grant_kind == "policy"
            return (ActionState.ALLOWED if allowed else ActionState.APPROVED), row.grant_expires_at
        return ActionState(state.value), None
    if row.claimable_until is not None:
        open_still = now_ms < row.claimable_until
        return (ActionState.ALLOWED if open_still else ActionState.EXPIRED), row.claimable_until
    if row.request_state is not None:
        return ActionState(
            _request_state(row.request_state, row.request_expires_at, now_ms).value
        ), row.request_expires_at
    return ActionState.DENIED, None


def _request_state(state: str, expires_at: int, now_ms: int) -> RequestState:
    if state == RequestState.PENDING and now_ms >= expires_at:
        return RequestState.EXPIRED
    return RequestState(state)


def _claim_state(state: str, lease_until: int, now_ms: int) -> ClaimState:
    if state == ClaimState.CLAIMED and now_ms >= lease_until:
        return ClaimState.UNKNOWN
    return ClaimState(state)


def state_is(state: ActionState, now_ms: int) -> ColumnElement[bool]:
    """The SQL condition that an action of `DECISION` is in `state` at this time."""
    unclaimed, ungranted = _C.id.is_(None), _A.grant_id.is_(None)
    match state:
        case ActionState.CLAIMED:
            return and_(_C.state == "claimed", _C.lease_until > now_ms)
        case ActionState.UNKNOWN:
            return or_(_C.state == "unknown", and_(_C.state == "claimed", _C.lease_until <= now_ms))
        case ActionState.SUCCEEDED | ActionState.FAILED:
            return _C.state == state.value
        case ActionState.ALLOWED:
            written = and_(unclaimed, _G.state == "open", _G.expires_at > now_ms, _G.kind == "policy")
            return or_(_A.claimable_until > now_ms, written)
        case ActionState.APPROVED:
            return and_(unclaimed, _G.state == "open", _G.expires_at > now_ms, _G.kind != "policy")
        case ActionState.PENDING:
            return and_(ungranted, _R.state == "pending", _R.expires_at > now_ms)
        case ActionState.EXPIRED:
            return or_(
                _A.claimable_until <= now_ms,
                and_(unclaimed, _G.state == "open", _G.expires_at <= now_ms),
                and_(unclaimed, _G.state == "expired"),
                and_(ungranted, or_(_R.state == "expired", and_(_R.state == "pending", _R.expires_at <= now_ms))),
            )
        case ActionState.DENIED:
            return and_(ungranted, or_(_A.verdict == "deny", _R.state == "denied"))
        case ActionState.WITHDRAWN:
            return and_(ungranted, _R.state == "withdrawn")
        case ActionState.REVOKED | ActionState.VOID:
            return and_(unclaimed, _G.state == state.value)


def load_actor(tx: Tx, action_id: str) -> Actor:
    return load_action(tx, action_id).actor


def load_action(tx: Tx, action_id: str) -> Action:
    """Raises `UnknownAction`."""
    data = tx.execute(_CANONICAL_OF, {"action": action_id}).scalar_one_or_none()
    if data is None:
        raise UnknownAction(f"there is no action `{action_id[:40]}`")
    return Action.from_canonical(cast(bytes, data))


def request_query() -> Select[tuple[object, ...]]:
    """One row a request, with the action that opened it."""
    return select(
        tables.requests,
        _A.canonical,
        _A.facts,
        _A.reasons,
        _A.reason.label("caller_reason"),
    ).join(tables.actions, _A.id == _R.action_id)


def load_request(tx: Tx, request_id: str, *, lock: bool = False) -> Request:
    """With `lock`, nobody else changes the request until the transaction ends. Raises `UnknownRequest`."""
    if lock:
        tx.execute(select(_R.id).where(_R.id == request_id).with_for_update())
    row = tx.execute(request_query().where(_R.id == request_id)).one_or_none()
    if row is None:
        raise UnknownRequest(f"there is no request `{request_id[:40]}`")
    return requests_of(tx, [row])[0]


def requests_of(tx: Tx, rows: Iterable[AnyRow]) -> list[Request]:
    """Rows of `request_query` with their votes and joined actions: three statements, however many rows."""
    found = list(rows)
    ids = [row.id for row in found]
    votes: dict[str, list[Vote]] = {}
    joined: dict[str, list[str]] = {}
    if ids:
        for vote in tx.execute(
            select(tables.votes, _O.issued_by)
            .outerjoin(tables.vote_origins, _O.vote_id == tables.votes.c.id)
            .where(tables.votes.c.request_id.in_(ids))
            .order_by(tables.votes.c.id)
        ):
            votes.setdefault(vote.request_id, []).append(_vote(vote))
        for one in tx.execute(select(_A.id, _A.request_id).where(_A.request_id.in_(ids)).order_by(_A.id)):
            joined.setdefault(one.request_id, []).append(one.id)
    return [_request(row, tuple(votes.get(row.id, ())), tuple(joined.get(row.id, ())), tx.now_ms) for row in found]


def _vote(row: AnyRow) -> Vote:
    return Vote(
        id=row.id,
        person=row.person_id,
        counts_for=row.counts_for,
        stage=row.stage,
        verdict=BallotVerdict(row.verdict),
        reason=row.reason,
        assurance=Assurance(row.assurance),
        channel=row.channel,
        shown_digest=row.shown_digest,
        at_ms=row.at,
        issued_by=row.issued_by,
    )


def _request(row: AnyRow, votes: tuple[Vote, ...], joined: tuple[str, ...], now_ms: int) -> Request:
    return Request(
        id=row.id,
        action=Action.from_canonical(row.canonical),
        action_id=row.action_id,
        action_ids=joined,
        state=_request_state(row.state, row.expires_at, now_ms),
        stage=row.stage,
        stage_since_ms=row.stage_since,
        authors=frozenset(orjson.loads(row.authors)),
        facts=Facts(load(row.facts)),
        reasons=_reasons(row.reasons),
        obligations=Obligations.from_json(load(row.obligations)),
        policy_version=row.policy_version,
        shown_digest=row.shown_digest,
        opened_at_ms=row.opened_at,
        expires_at_ms=row.expires_at,
        caller_reason=row.caller_reason,
        escalated_at_ms=row.escalated_at,
        reminded_at_ms=row.reminded_at,
        decided_at_ms=row.decided_at,
        votes=votes,
    )


def load_grant(tx: Tx, grant_id: str, *, lock: bool = False) -> Grant:
    """With `lock`, nobody else changes the grant until the transaction ends. Raises `UnknownGrant`."""
    if lock:
        write_down(tx, grant_id)
    row = tx.execute(_GRANT_LOCKED if lock else _GRANT_OF, {"grant": grant_id}).one_or_none()
    if row is not None:
        return grant_of(row, tx.now_ms)
    allowed = tx.execute(_ALLOWED, {"action": _action_of(grant_id), "grant": grant_id}).one_or_none()
    if allowed is None:
        raise UnknownGrant(f"there is no grant `{grant_id[:40]}`")
    return own_grant(allowed, tx.now_ms)


def own_grant_id(action_id: str) -> str:
    """The id of the grant that policy gives an action by itself."""
    return f"grt_{action_id.removeprefix('act_')}"


def _action_of(grant_id: str) -> str:
    return f"act_{grant_id.removeprefix('grt_')}"


_ALLOWED = select(
    _A["id", "digest", "grant_id", "policy_version", "obligations", "submitted_at", "claimable_until"]  # type: ignore[call-overload]
).where(_A.id == bindparam("action"), _A.grant_id == bindparam("grant"), _A.verdict == Verdict.ALLOW.value)
_ALLOWED_OPEN = _ALLOWED.where(_A.claimable_until.is_not(None)).with_for_update()
_WRITTEN = update(tables.actions).where(_A.id == bindparam("action")).values(claimable_until=None)


def write_down(tx: Tx, grant_id: str) -> None:
    """Give a grant of policy its row, before anything but a claim with the submission happens to it.

    Who comes second waits for the lock and then finds the row: from here on it is a grant like any other.
    """
    row = tx.execute(_ALLOWED_OPEN, {"action": _action_of(grant_id), "grant": grant_id}).one_or_none()
    if row is None:
        return
    grant = own_grant(row, tx.now_ms)
    tx.execute(
        tables.grants.insert(),
        {
            "id": grant.id,
            "kind": grant.kind,
            "state": GrantState.OPEN.value,
            "action_id": grant.action_id,
            "request_id": None,
            "digest": grant.digest,
            "pattern": None,
            "signer": None,
            "parent_id": None,
            "uses": 1,
            "uses_left": 1,
            "policy_version": row.policy_version,
            "opened_at": grant.opened_at_ms,
            "expires_at": row.claimable_until,
        },
    )
    tx.execute(_WRITTEN, {"action": row.id})


def own_grant(row: AnyRow, now_ms: int) -> Grant:
    """The grant that policy gave by itself, from the action's row."""
    state = GrantState.CLAIMED
    if row.claimable_until is not None:
        state = GrantState.OPEN if now_ms < row.claimable_until else GrantState.EXPIRED
    return Grant(
        id=row.grant_id,
        kind="policy",
        state=state,
        action_id=row.id,
        request_id=None,
        digest=row.digest,
        pattern=None,
        signer=None,
        parent_id=None,
        uses=1,
        uses_left=0 if state is GrantState.CLAIMED else 1,
        opened_at_ms=row.submitted_at,
        expires_at_ms=row.submitted_at + Obligations.from_json(load(row.obligations)).grant_ms,
    )


def grant_of(row: AnyRow, now_ms: int) -> Grant:
    state = GrantState(row.state)
    if state is GrantState.OPEN and now_ms >= row.expires_at:
        state = GrantState.EXPIRED
    return Grant(
        id=row.id,
        kind=row.kind,
        state=state,
        action_id=row.action_id,
        request_id=row.request_id,
        digest=row.digest,
        pattern=row.pattern,
        signer=row.signer,
        parent_id=row.parent_id,
        uses=row.uses,
        uses_left=row.uses_left,
        opened_at_ms=row.opened_at,
        expires_at_ms=row.expires_at,
    )
