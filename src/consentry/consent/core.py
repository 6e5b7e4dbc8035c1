"""What every verb needs at hand, and what several of them do. Functions here run inside one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from sqlalchemy import bindparam, delete, select, update

from consentry.actions import Action
from consentry.consent.eligibility import authors_of, fallen, stage_satisfied, supports
from consentry.consent.model import Request
from consentry.consent.notify import announce
from consentry.consent.policies import PolicyHolder
from consentry.consent.roster import Directory
from consentry.consent.rows import load_action, write_down
from consentry.consent.settings import GateSettings
from consentry.consent.states import GRANT, REQUEST, GrantEvent, GrantState, RequestEvent, RequestState, after
from consentry.errors import ConsentryError
from consentry.policy.model import Facts, Judgement, Obligations, Resource, Roster, Verdict
from consentry.store import Tx, tables
from consentry.store.record import record


@dataclass(frozen=True, slots=True)
class Core:
    """The parts of a gate that its verbs work with."""

    settings: GateSettings
    policies: PolicyHolder
    directory: Directory

    def resource(self, name: str) -> Resource:
        return self.settings.resources.get(name) or _undeclared(name)

    def judge(self, tx: Tx, action: Action, facts: Facts) -> Judgement:
        """Policy's word under the policy and roster of this transaction."""
        return self.policies.current(tx).judge(
            action,
            facts,
            resource=self.resource(action.resource),
            roster=self.directory.current(tx),
            now_ms=tx.now_ms,
        )


@lru_cache(maxsize=1024)
def _undeclared(name: str) -> Resource:
    return Resource(name)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that comes with changes of its own: the transaction commits, then the error is raised."""

    error: ConsentryError


def end_request(
    tx: Tx,
    core: Core,
    request: Request,
    event: RequestEvent,
    entry: dict[str, str | int | list[str] | None],
    *,
    reason: str | None = None,
) -> RequestState:
    """Move a pending request to a final state, once, with its entry, and wake whoever waits."""
    state = after(REQUEST, RequestState.PENDING, event)
    changed = tx.execute(
        update(tables.requests)
        .where(tables.requests.c.id == request.id, tables.requests.c.state == RequestState.PENDING.value)
        .values(state=state.value, decided_at=tx.now_ms)
    )
    if changed.rowcount != 1:
        # INVARIANT: callers hold the row's lock, so a pending request cannot have been ended beside them.
        raise AssertionError("a pending request was ended by somebody else inside our lock")
    record(
        tx,
        f"request.{state.value}",
        {"request": request.id, "digest": request.action.digest, **entry},
        sealed={"reason": reason},
        action_id=request.action_id,
        request_id=request.id,
    )
    tell(tx, core, request, f"request.{state.value}")
    wake_all(tx, request.id)
    return state


def end_grant(
    tx: Tx,
    grant_id: str,
    event: GrantEvent,
    *,
    action_id: str | None,
    request_id: str | None,
    entry: dict[str, str | None],
    reason: str | None = None,
) -> bool:
    """Move an open grant to a final state; false where it was not open any more."""
    write_down(tx, grant_id)
    state = after(GRANT, GrantState.OPEN, event)
    changed = tx.execute(
        update(tables.grants)
        .where(tables.grants.c.id == grant_id, tables.grants.c.state == GrantState.OPEN.value)
        .values(state=state.value)
    )
    if changed.rowcount != 1:
        return False
    record(
        tx,
        f"grant.{state.value}",
        {"grant": grant_id, "action": action_id, **entry},
        sealed={"reason": reason},
        action_id=action_id,
        request_id=request_id,
    )
    wake_joined(tx, action_id, request_id)
    return True


def expire_request(tx: Tx, core: Core, request: Request) -> None:
    """Write down what the clock has already decided."""
    end_request(tx, core, request, RequestEvent.TIME, {"action": request.action_id})


_ACTIONS_OF_REQUEST = select(tables.actions.c.id).where(tables.actions.c.request_id == bindparam("request"))


def wake_all(tx: Tx, request_id: str) -> None:
    for action_id in tx.execute(_ACTIONS_OF_REQUEST, {"request": request_id}).scalars():
        tx.wake(str(action_id))


def wake_joined(tx: Tx, action_id: str | None, request_id: str | None) -> None:
    """Wake whoever waits for an action or for one that joined its request: they share the grant."""
    if request_id is not None:
        wake_all(tx, request_id)
    elif action_id is not None:
        tx.wake(action_id)


def tell(tx: Tx, core: Core, request: Request, kind: str) -> None:
    announce(
        tx,
        core.settings.targets,
        kind,
        {
            "request": request.id,
            "action": request.action_id,
            "digest": request.action.digest,
            "operation": request.action.operation,
            "expires_at_ms": request.expires_at_ms,
        },
    )


def drop_fallen(tx: Tx, request: Request, roster: Roster, authors: frozenset[str]) -> Request:
    """Take out the votes whose voters are no longer eligible, and go back to the first stage that lost its quorum."""
    votes = []
    for vote in request.votes:
        cause = fallen(vote, request, roster, authors)
        if cause is None:
            votes.append(vote)
            continue
        tx.execute(delete(tables.votes).where(tables.votes.c.id == vote.id))
        record(
            tx,
            "request.vote_void",
            {"request": request.id, "person": vote.person, "cause": cause, "stage": vote.stage},
            action_id=request.action_id,
            request_id=request.id,
        )
    if len(votes) == len(request.votes):
        return request
    left = replace(request, votes=tuple(votes))
    stage = next(
        (
            at
            for at in range(request.stage)
            if not stage_satisfied(replace(left, stage=at), left.votes, roster, authors)
        ),
        request.stage,
    )
    if stage != request.stage:
        tx.execute(
            update(tables.requests).where(tables.requests.c.id == request.id).values(stage=stage, stage_since=tx.now_ms)
        )
    return replace(left, stage=stage)


def authors_now(tx: Tx, request: Request, roster: Roster) -> frozenset[str]:
    """The recorded authors and whoever is one by now: new owners of agents, actors of joined actions (threat A7)."""
    chain = authors_of(request.action.actor, roster)
    for action_id in request.action_ids:
        if action_id != request.action_id:
            chain |= authors_of(load_action(tx, action_id).actor, roster)
    return chain | {roster.canonical(author) for author in request.authors}


def why_void(tx: Tx, core: Core, action: Action, facts: Facts, request: Request | None) -> str | None:
    """Why a grant no longer holds, or `None` (invariant 5).

    Policy is asked again. A tighter answer voids: a denial always, and a review where the votes at hand do not carry
    it. A looser answer changes nothing: the votes must still carry what was asked when they were cast.
    """
    roster = core.directory.current(tx)
    judgement = core.judge(tx, action, facts)
    if judgement.verdict is Verdict.DENY:
        return "policy_denies"
    asked: list[Obligations] = []
    if request is not None:
        asked.append(request.obligations)
    if judgement.verdict is Verdict.REVIEW and (request is None or judgement.obligations != request.obligations):
        asked.append(judgement.obligations)
    if not asked:
        return None
    if request is None:
        return "policy_asks_for_review"
    authors = authors_now(tx, request, roster)
    for obligations in asked:
        if not supports(
            request.votes,
            obligations,
            roster,
            opened_at_ms=request.opened_at_ms,
            authors=authors,
            escalated=request.escalated_at_ms is not None,
        ):
            return "votes_fell_away" if obligations is request.obligations else "policy_tightened"
    return None
