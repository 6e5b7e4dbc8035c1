"""`claim` and `settle`: use a grant once, and say what really happened."""

from __future__ import annotations

from sqlalchemy import bindparam, case, select, update

from consentry.actions import Action, Actor, Json, Operand, new_id
from consentry.consent.core import Core, Refusal, end_grant, expire_request, wake_joined, why_void
from consentry.consent.errors import (
    AlreadyClaimed,
    AlreadySettled,
    Expired,
    GateError,
    NotGranted,
    OperandChanged,
    UnknownAction,
    Void,
)
from consentry.consent.model import ActionState, Claim, Decision, OutcomeStatus, Request
from consentry.consent.notify import announce, webhooks
from consentry.consent.rows import load, load_action, load_decision, load_grant, load_request
from consentry.consent.standing import Signed, signers_vote
from consentry.consent.states import CLAIM, ClaimEvent, ClaimState, GrantEvent, RequestState, after
from consentry.ledger.commit import commit
from consentry.policy.model import Facts, Judgement, Level, Roster, Verdict
from consentry.store import Tx, tables
from consentry.store.record import derived_salt, record, spell_time

_FINAL: dict[ActionState, tuple[type[GateError], str]] = {
    ActionState.PENDING: (NotGranted, "nobody has consented yet: wait for the decision"),
    ActionState.DENIED: (NotGranted, "this action was denied"),
    ActionState.WITHDRAWN: (NotGranted, "this request was withdrawn"),
    ActionState.REVOKED: (NotGranted, "this grant was revoked"),
    ActionState.EXPIRED: (Expired, "time ran out before the action was claimed: submit it again"),
    ActionState.VOID: (Void, "this grant no longer holds: submit the action again"),
    ActionState.CLAIMED: (AlreadyClaimed, "this grant was used: the action is under way"),
    ActionState.SUCCEEDED: (AlreadyClaimed, "this grant was used: the action succeeded"),
    ActionState.FAILED: (AlreadyClaimed, "this grant was used: the action failed; submit it again to try again"),
    ActionState.UNKNOWN: (AlreadyClaimed, "this grant was used, and how it went is unknown: look before you try again"),
}


def _final(state: ActionState) -> GateError:
    """A new error each time: one that is raised again keeps the frames of every time before."""
    kind, words = _FINAL.get(state, (AlreadyClaimed, "this grant was used"))
    return kind(words)


def claim(tx: Tx, core: Core, action_id: str, by: Actor, operands: tuple[Operand, ...] | None) -> Claim | Refusal:
    """The operation behind `Gate.claim`: every check again, then compare and swap on the grant's row."""
    action = load_action(tx, action_id)
    if action.actor != by:
        # The id of somebody else's action proves nothing and tells nothing (threat B14).
        raise UnknownAction(f"there is no action `{action_id[:40]}` of yours")
    decision = load_decision(tx, action_id)
    if not decision.granted or decision.grant_id is None:
        return _refuse(tx, core, decision)
    if operands is not None and tuple(sorted(operands)) != action.operands:
        return _void(tx, decision, "operand_changed", OperandChanged("an operand is not what was consented to"))
    cause = _why_void(tx, core, action_id, action, decision)
    if cause is not None:
        return _void(tx, decision, cause, Void(f"this grant no longer holds (`{cause}`): submit the action again"))
    grant = load_grant(tx, decision.grant_id)
    if grant.parent_id is not None and not _take(tx, grant.parent_id):
        return _void(tx, decision, "standing_ended", Void("the standing grant behind this one has ended: submit again"))
    if not _take(tx, decision.grant_id):
        raise _final(load_decision(tx, action_id).state)
    level = decision.obligations.level
    taken = new_claim(
        tx, action_id, decision.grant_id, action, core.settings.lease_ms, level, named=grant.kind != "policy"
    )
    if grant.parent_id is not None and load_grant(tx, grant.parent_id).uses_left == 0:
        record(tx, "standing.exhausted", {"standing": grant.parent_id}, request_id=grant.parent_id)
    if grant.kind != "policy":  # what policy allows by itself is not news
        fields: dict[str, Json] = {"claim": taken.id, "action": action_id, "operation": action.operation}
        announce(tx, webhooks(core.settings.targets), "grant.claimed", fields)
    wake_joined(tx, action_id, decision.request_id)
    return taken


def new_claim(
    tx: Tx, action_id: str, grant_id: str, action: Action, lease_ms: int, level: Level, *, named: bool = False
) -> Claim:
    """Write a claim on a grant that the caller has just taken, with its entry: the durable intent before the effect."""
    taken = Claim(new_id("clm"), action_id, grant_id, ClaimState.CLAIMED, tx.now_ms, tx.now_ms + lease_ms)
    tx.insert(
        tables.claims,
        {
            "id": taken.id,
            "grant_id": grant_id,
            "action_id": action_id,
            "state": ClaimState.CLAIMED.value,
            "claimed_at": taken.claimed_at_ms,
            "lease_until": taken.lease_until_ms,
            "settled_at": None,
            "summary": None,
        },
    )
    record(
        tx,
        "grant.claimed",
        {
            "claim": taken.id,
            "action": action_id,
            "digest": action.digest,
            "grant": grant_id if named else None,
            "by": action.actor.id,
            "lease": spell_time(taken.lease_until_ms),
            "level": level.value,
        },
        action_id=action_id,
    )
    return taken


_CLAIM = (
    select(tables.claims, tables.actions.c.canonical, tables.actions.c.seal, tables.actions.c.request_id)
    .join(tables.actions, tables.actions.c.id == tables.claims.c.action_id)
    .where(tables.claims.c.id == bindparam("claim"))
    .with_for_update(of=tables.claims)
)
_SETTLE = (
    update(tables.claims)
    .where(tables.claims.c.id == bindparam("claim"))
    .values(state=bindparam("ended"), settled_at=bindparam("at"), summary=bindparam("said"))
)


def settle(tx: Tx, claim_id: str, by: Actor, status: OutcomeStatus, summary: str | None) -> Claim:
    """The operation behind `Gate.settle`. The one who claimed may report late; a final outcome stays."""
    row = tx.execute(_CLAIM, {"claim": claim_id}).one_or_none()
    if row is None or not is_by(row.canonical, by):
        raise UnknownAction(f"there is no claim `{claim_id[:40]}` of yours")
    state = ClaimState(row.state)
    if state in (ClaimState.SUCCEEDED, ClaimState.FAILED):
        raise AlreadySettled("the outcome of this claim was reported before")
    ended = outcome_of(state, status)
    tx.execute(_SETTLE, {"claim": claim_id, "ended": ended.value, "at": tx.now_ms, "said": summary})
    record_settled(tx, claim_id, row.action_id, ended, summary, row.seal)
    wake_joined(tx, row.action_id, row.request_id)
    return Claim(claim_id, row.action_id, row.grant_id, ended, row.claimed_at, row.lease_until, tx.now_ms, summary)


def is_by(data: bytes, by: Actor) -> bool:
    """Whether stored canonical bytes are those of an action of `by`: the actor comes first in them (RFC 8785)."""
    if data.startswith(b'{"actor":' + by.canonical + b',"arguments":'):
        return True
    return Action.from_canonical(data).actor == by


def outcome_of(state: ClaimState, status: OutcomeStatus) -> ClaimState:
    """Where a claim stands once its outcome is told."""
    return after(CLAIM, state, ClaimEvent.SUCCESS if status is OutcomeStatus.SUCCEEDED else ClaimEvent.FAILURE)


def record_settled(
    tx: Tx, claim_id: str, action_id: str, state: ClaimState, summary: str | None, seal: bytes | None
) -> None:
    """The entry. The summary's value is in the claim's row and its salt comes from the action's `seal`, which goes when
    the action is erased; for an action without one, both are kept like those of other texts.
    """
    fields = {"claim": claim_id, "status": state.value, "action": action_id}
    if summary is not None and seal is not None:
        fields["summary"] = commit(summary.encode("utf-8"), derived_salt(seal, "summary"))
        summary = None
    record(tx, "grant.settled", fields, sealed={"summary": summary}, action_id=action_id)


_G = tables.grants.c
_TAKE = (
    update(tables.grants)
    .where(_G.id == bindparam("grant"), _G.state == "open", _G.uses_left > 0, _G.expires_at > bindparam("now"))
    .values(uses_left=_G.uses_left - 1, state=case((_G.uses_left == 1, "claimed"), else_=_G.state))
)


def _take(tx: Tx, grant_id: str) -> bool:
    """Compare and swap: one use of an open grant, for exactly one of all who try (invariant 2)."""
    return tx.execute(_TAKE, {"grant": grant_id, "now": tx.now_ms}).rowcount == 1


def _refuse(tx: Tx, core: Core, decision: Decision) -> Refusal:
    """Why there is nothing to claim; what the clock decided is written down on the way."""
    if decision.state is ActionState.EXPIRED:
        if decision.grant_id is not None:
            end_grant(
                tx,
                decision.grant_id,
                GrantEvent.TIME,
                action_id=decision.action_id,
                request_id=decision.request_id,
                entry={},
            )
        elif decision.request_id is not None:
            request = load_request(tx, decision.request_id, lock=True)
            if _is_stored_pending(tx, request.id):
                expire_request(tx, core, request)
    return Refusal(_final(decision.state))


def _is_stored_pending(tx: Tx, request_id: str) -> bool:
    state = tx.execute(select(tables.requests.c.state).where(tables.requests.c.id == request_id)).scalar_one()
    return bool(state == RequestState.PENDING.value)


def _why_void(tx: Tx, core: Core, action_id: str, action: Action, decision: Decision) -> str | None:
    assert decision.grant_id is not None
    grant = load_grant(tx, decision.grant_id, lock=True)
    facts = Facts(
        load(str(tx.execute(select(tables.actions.c.facts).where(tables.actions.c.id == action_id)).scalar_one()))
    )
    if grant.kind == "breakglass":
        return why_glass_void(core.judge(tx, action, facts), grant.signer, core.directory.current(tx))
    request: Request | None = None
    if decision.request_id is not None:
        request = load_request(tx, decision.request_id)
    elif grant.parent_id is not None:
        request = _as_request(tx, action_id, action, facts, decision, grant.parent_id)
        if request is None:
            return "standing_ended"
    return why_void(tx, core, action, facts, request)


def why_glass_void(judgement: Judgement, person: str | None, roster: Roster) -> str | None:
    """Break-glass skips people, not policy, and not the question whether this person still may."""
    if judgement.verdict is Verdict.DENY:
        return "policy_denies"
    sets = judgement.obligations.break_glass or ()
    if judgement.verdict is Verdict.REVIEW and not (
        sets and person is not None and all(roster.canonical(person) in roster.members(one) for one in sets)
    ):
        return "policy_tightened"
    return None


def _as_request(
    tx: Tx, action_id: str, action: Action, facts: Facts, decision: Decision, parent_id: str
) -> Request | None:
    """A use of a standing grant, as the request whose one vote the signer gave beforehand."""
    parent = load_grant(tx, parent_id, lock=True)
    if parent.state.value != "open" or parent.pattern is None or parent.signer is None:
        return None
    signed = Signed.decode(parent.pattern)
    if not signed.pattern.admits(action):
        return None
    return Request(
        id="",
        action=action,
        action_id=action_id,
        action_ids=(action_id,),
        state=RequestState.APPROVED,
        stage=0,
        stage_since_ms=parent.opened_at_ms,
        authors=frozenset(),
        facts=facts,
        reasons=decision.reasons,
        obligations=decision.obligations,
        policy_version=decision.policy_version,
        shown_digest="",
        opened_at_ms=parent.opened_at_ms,
        expires_at_ms=parent.expires_at_ms,
        caller_reason=None,
        votes=(signers_vote(signed, parent.signer, parent.opened_at_ms),),
    )


def _void(tx: Tx, decision: Decision, cause: str, error: GateError) -> Refusal:
    assert decision.grant_id is not None
    if end_grant(
        tx,
        decision.grant_id,
        GrantEvent.GROUNDS_GONE,
        action_id=decision.action_id,
        request_id=decision.request_id,
        entry={"cause": cause},
    ):
        return Refusal(error)
    raise _final(load_decision(tx, decision.action_id).state)  # somebody was faster: say what they did
