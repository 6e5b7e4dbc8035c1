"""`vote` and `withdraw`: one person's word on a request, and what follows from it."""

from __future__ import annotations

import secrets
from dataclasses import replace

from sqlalchemy import update

from consentry.actions import Actor, new_id
from consentry.consent.core import Core, Refusal, authors_now, drop_fallen, end_request, expire_request, tell
from consentry.consent.eligibility import Ineligible, stage_satisfied, why_not
from consentry.consent.errors import (
    AlreadyDecided,
    AlreadyVoted,
    AssuranceTooLow,
    Expired,
    LinkedLater,
    NotAllowed,
    NotEligible,
    ReasonRequired,
    StaleView,
)
from consentry.consent.model import Ballot, BallotVerdict, Request, Vote, Voter
from consentry.consent.roster import load_delegations
from consentry.consent.rows import load_request
from consentry.consent.states import REQUEST, RequestEvent, RequestState, after
from consentry.consent.stepup import Proof, assurance_of, prove
from consentry.policy.model import Assurance, Roster, Verdict
from consentry.store import Tx, tables
from consentry.store.record import record, spell_time

MAX_REASON = 4_000


def vote(tx: Tx, core: Core, request_id: str, voter: Voter, ballot: Ballot) -> Request | Refusal:
    """The operation behind `Gate.vote`. Votes of one request are handled one after the other."""
    request = load_request(tx, request_id, lock=True)
    roster = core.directory.current(tx)
    if refused := _not_pending(tx, core, request):
        return refused
    authors = authors_now(tx, request, roster)
    request = drop_fallen(tx, request, roster, authors)
    person = roster.canonical(voter.person)
    if any(person in (roster.canonical(one.person), roster.canonical(one.counts_for)) for one in request.votes):
        raise AlreadyVoted("you, or your delegate for you, voted on this request before: one person is one vote")
    standing = why_not(
        voter.person, request, roster, load_delegations(tx, at_ms=tx.now_ms), authors=authors, now_ms=tx.now_ms
    )
    if isinstance(standing, Ineligible):
        raise NotEligible(standing.text)
    require_older_link(voter.since_ms, request)
    proof = prove(tx, request, voter, person, ballot)
    assurance = assurance_of(voter, proof)
    _check_ballot(request, assurance, ballot)
    if _policy_denies(tx, core, request):
        end_request(tx, core, request, RequestEvent.POLICY_DENIES, {"cause": "policy_denies"})
        return Refusal(AlreadyDecided("policy was changed and now denies this action"))
    cast = _write(tx, request, voter, ballot, person, standing.counts_for, assurance, proof)
    request = replace(request, votes=(*request.votes, cast))
    if ballot.verdict is BallotVerdict.DENY:
        end_request(tx, core, request, RequestEvent.DENIAL, {"person": person}, reason=ballot.reason)
    elif stage_satisfied(request, request.votes, roster, authors):
        _advance(tx, core, request, roster, authors)
    else:
        tell(tx, core, request, "request.vote")
    return load_request(tx, request_id)


def _not_pending(tx: Tx, core: Core, request: Request) -> Refusal | None:
    if request.state is RequestState.PENDING:
        return None
    if request.state is RequestState.EXPIRED:
        if request.decided_at_ms is None:
            expire_request(tx, core, request)
        return Refusal(Expired("time ran out before this vote: the action is denied"))
    raise AlreadyDecided(f"this request was {request.state.value} before your vote")


def require_older_link(since_ms: int | None, request: Request) -> None:
    """Refuse a chat account that was linked after the request was opened. Raises `LinkedLater`.

    Whoever talks somebody into linking an account that is not theirs must gain nothing that is asked already.
    """
    if since_ms is not None and since_ms > request.opened_at_ms:
        raise LinkedLater(
            "this account was linked after the request was opened, so it does not decide it: decide on the web page"
        )


def _check_ballot(request: Request, assurance: Assurance, ballot: Ballot) -> None:
    stage = request.obligations.stages[request.stage]
    if ballot.stage is not None and ballot.stage != request.stage:
        raise StaleView("this request has moved on to another stage: look at it again, then decide")
    if ballot.verdict is BallotVerdict.APPROVE and assurance.rank < stage.assurance.rank:
        way_out = ": open the request's page and approve there with a passkey"
        raise AssuranceTooLow(
            f"this stage asks for sign-in by `{stage.assurance.value}`, and this is `{assurance.value}`"
            + (way_out if stage.assurance is Assurance.PASSKEY else "")
        )
    if not secrets.compare_digest(ballot.shown_digest.encode(), request.shown_digest.encode()):
        raise StaleView("`shown_digest` is not that of this request: look at the request again, then decide")
    if ballot.reason is not None and len(ballot.reason) > MAX_REASON:
        raise ReasonRequired(f"`reason` is longer than {MAX_REASON} characters: shorten it")


def _policy_denies(tx: Tx, core: Core, request: Request) -> bool:
    return core.judge(tx, request.action, request.facts).verdict is Verdict.DENY


def _write(
    tx: Tx,
    request: Request,
    voter: Voter,
    ballot: Ballot,
    person: str,
    counts_for: str,
    assurance: Assurance,
    proof: Proof | None,
) -> Vote:
    cast = Vote(
        id=new_id("vot"),
        person=person,
        counts_for=counts_for,
        stage=request.stage,
        verdict=ballot.verdict,
        reason=ballot.reason,
        assurance=assurance,
        channel=voter.channel,
        shown_digest=ballot.shown_digest,
        at_ms=tx.now_ms,
        issued_by=voter.issued_by,
    )
    tx.execute(
        tables.votes.insert(),
        {
            "id": cast.id,
            "request_id": request.id,
            "person_id": person,
            "counts_for": counts_for,
            "stage": cast.stage,
            "verdict": cast.verdict.value,
            "reason": cast.reason,
            "assurance": cast.assurance.value,
            "channel": cast.channel,
            "shown_digest": cast.shown_digest,
            "at": cast.at_ms,
        },
    )
    if voter.issued_by is not None:
        tx.insert(tables.vote_origins, {"vote_id": cast.id, "issued_by": voter.issued_by})
    record(
        tx,
        "request.vote",
        {
            "request": request.id,
            "person": person,
            "verdict": ballot.verdict.value,
            "digest": request.action.digest,
            "shown": ballot.shown_digest,
            "assurance": assurance.rank,
            "stage": request.stage,
            "channel": voter.channel,
            "session": voter.session,
            "by": voter.issued_by,
            "delegation": counts_for if counts_for != person else None,
            **({} if proof is None else proof.fields()),
        },
        sealed={"reason": ballot.reason},
        action_id=request.action_id,
        request_id=request.id,
    )
    return cast


def _advance(tx: Tx, core: Core, request: Request, roster: Roster, authors: frozenset[str]) -> None:
    """A stage is satisfied: on to the next one, or approve and open the grant."""
    if request.stage + 1 < len(request.obligations.stages):
        after(REQUEST, RequestState.PENDING, RequestEvent.QUORUM_OF_STAGE)
        tx.execute(
            update(tables.requests)
            .where(tables.requests.c.id == request.id)
            .values(stage=request.stage + 1, stage_since=tx.now_ms, escalated_at=None, reminded_at=None)
        )
        tell(tx, core, request, "request.stage")
        return
    approvers = sorted({v.person for v in request.votes if v.verdict is BallotVerdict.APPROVE})
    end_request(
        tx,
        core,
        request,
        RequestEvent.QUORUM_OF_LAST_STAGE,
        {"approvers": approvers, "action": request.action_id, "policy": request.policy_version},
    )
    _open_grant(tx, request)


def _open_grant(tx: Tx, request: Request) -> None:
    grant_id = new_id("grt")
    expires = tx.now_ms + request.obligations.grant_ms
    tx.insert(
        tables.grants,
        {
            "id": grant_id,
            "kind": "review",
            "state": "open",
            "action_id": request.action_id,
            "request_id": request.id,
            "digest": request.action.digest,
            "pattern": None,
            "signer": None,
            "parent_id": None,
            "uses": 1,
            "uses_left": 1,
            "policy_version": request.policy_version,
            "opened_at": tx.now_ms,
            "expires_at": expires,
        },
    )
    tx.execute(update(tables.actions).where(tables.actions.c.request_id == request.id).values(grant_id=grant_id))
    record(
        tx,
        "grant.opened",
        {
            "grant": grant_id,
            "action": request.action_id,
            "digest": request.action.digest,
            "uses": 1,
            "request": request.id,
            "policy": request.policy_version,
            "expires": spell_time(expires),
        },
        action_id=request.action_id,
        request_id=request.id,
    )


def withdraw(tx: Tx, core: Core, request_id: str, by: Actor, reason: str | None) -> Request | Refusal:
    """The operation behind `Gate.withdraw`: for whoever asked, and for the persons behind them."""
    request = load_request(tx, request_id, lock=True)
    roster = core.directory.current(tx)
    persons = {roster.canonical(person) for person in by.persons()}
    if by != request.action.actor and not persons & authors_now(tx, request, roster):
        raise NotAllowed("only who asked for this action, or a person behind it, can withdraw the request")
    if refused := _not_pending(tx, core, request):
        return refused
    end_request(tx, core, request, RequestEvent.WITHDRAWAL, {"by": by.id}, reason=reason)
    return load_request(tx, request_id)
