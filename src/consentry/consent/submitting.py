"""`submit`: judge an action; open or join a request where policy asks for people."""

from __future__ import annotations

import os
from typing import NamedTuple

import orjson
from sqlalchemy import or_, select

from consentry.actions import Action, new_id
from consentry.consent.claiming import new_claim
from consentry.consent.core import Core, drop_fallen, end_request, expire_request, tell
from consentry.consent.eligibility import authors_of, supports
from consentry.consent.errors import IdempotencyMismatch
from consentry.consent.model import ActionState, Claim, Decision, Request, Submission
from consentry.consent.notify import announce, chats
from consentry.consent.preview import render
from consentry.consent.rows import dump, dump_reasons, grant_of, load_decision, load_request, own_grant_id
from consentry.consent.standing import Signed, signers_vote
from consentry.consent.states import RequestEvent, RequestState
from consentry.ledger.commit import commit
from consentry.policy.check import why_unsatisfiable
from consentry.policy.model import Judgement, Level, Obligations, Reason, Roster, Verdict
from consentry.store import Row, Tx, tables
from consentry.store.record import derived_salt, record, spell_time


class Prepared(NamedTuple):
    """A submission that was judged before its transaction, under the versions named."""

    submission: Submission
    judgement: Judgement
    roster_version: int
    action_id: str
    seal: bytes


def prepare(core: Core, submission: Submission, now_ms: int) -> Prepared:
    """Judge ahead, so that the transaction stays short; `submit` judges again where the world has moved since."""
    roster = core.directory.latest
    judgement = core.policies.latest.judge(
        submission.action,
        submission.facts,
        resource=core.resource(submission.action.resource),
        roster=roster,
        now_ms=now_ms,
    )
    return Prepared(submission, judgement, roster.version, new_id("act"), os.urandom(32))


def is_routine(prepared: Prepared) -> bool:
    """Whether policy marks this action as one that may be journaled first (level L0)."""
    judgement = prepared.judgement
    return (
        judgement.verdict is Verdict.ALLOW
        and judgement.obligations.level is Level.L0
        and prepared.submission.idempotency_key is None
        and prepared.submission.refusal is None
    )


def submit(tx: Tx, core: Core, prepared: Prepared, *, claim: bool) -> Decision:
    """The operation behind `Gate.submit`."""
    submission, judgement = prepared.submission, prepared.judgement
    if submission.idempotency_key is not None and (known := _repeat(tx, submission)) is not None:
        return known
    if judgement.policy_version != tx.versions.policy or prepared.roster_version != tx.versions.roster:
        judgement = core.judge(tx, submission.action, submission.facts)
    if submission.refusal is not None:
        judgement = _deny(judgement, submission.refusal.policy, submission.refusal.text)
    if judgement.obligations.level is Level.L3 and judgement.verdict is not Verdict.DENY:
        judgement = _deny(judgement, "no-witness", "policy asks for level L3, and no witness is configured")
    if judgement.verdict is Verdict.DENY:
        return _denied(tx, prepared, judgement)
    if judgement.verdict is Verdict.ALLOW:
        return _allowed(tx, core, prepared, judgement, claim=claim)
    return _reviewed(tx, core, prepared, judgement)


def _repeat(tx: Tx, submission: Submission) -> Decision | None:
    row = tx.execute(
        select(tables.actions.c.id, tables.actions.c.digest).where(
            tables.actions.c.actor_id == submission.action.actor.id,
            tables.actions.c.idempotency_key == submission.idempotency_key,
        )
    ).one_or_none()
    if row is None:
        return None
    if row.digest != submission.action.digest:
        raise IdempotencyMismatch("`idempotency_key` was used before for another action: use a new one")
    return load_decision(tx, row.id)


def _denied(tx: Tx, prepared: Prepared, judgement: Judgement) -> Decision:
    write_action(tx, prepared, judgement)
    record(
        tx,
        "action.denied",
        judged_fields(prepared, judgement),
        sealed={"reason": prepared.submission.reason},
        action_id=prepared.action_id,
    )
    return _decision(tx, prepared, judgement, ActionState.DENIED)


def _allowed(tx: Tx, core: Core, prepared: Prepared, judgement: Judgement, *, claim: bool) -> Decision:
    """The hot path: rows and entries are only appended, and nothing is read."""
    grant_id = own_grant_id(prepared.action_id)
    expires = None if claim else tx.now_ms + judgement.obligations.grant_ms
    taken: Claim | None = None
    write_action(tx, prepared, judgement, grant_id=grant_id, claimable_until=expires)
    record(
        tx,
        "action.allowed",
        judged_fields(prepared, judgement),
        sealed={"reason": prepared.submission.reason},
        action_id=prepared.action_id,
    )
    if claim:
        taken = new_claim(
            tx,
            prepared.action_id,
            grant_id,
            prepared.submission.action,
            core.settings.lease_ms,
            judgement.obligations.level,
        )
    state = ActionState.CLAIMED if claim else ActionState.ALLOWED
    return _decision(tx, prepared, judgement, state, grant_id=grant_id, expires=expires, claim=taken)


def _reviewed(tx: Tx, core: Core, prepared: Prepared, judgement: Judgement) -> Decision:
    if (existing := _joinable(tx, core, prepared.submission)) is not None:
        return _join(tx, core, prepared, judgement, existing)
    roster = core.directory.current(tx)
    authors = authors_of(prepared.submission.action.actor, roster)
    if (parent := _standing_for(tx, prepared.submission.action, judgement.obligations, roster, authors)) is not None:
        return _by_standing(tx, prepared, judgement, parent)
    gap = why_unsatisfiable(judgement, roster, authors)
    if gap is not None:
        return _denied(tx, prepared, _deny(judgement, "nobody-can-review", gap))
    return _open(tx, core, prepared, judgement, roster, authors)


def _joinable(tx: Tx, core: Core, submission: Submission) -> Request | None:
    """A request for the same digest with the same facts, pending, or approved and not used yet.

    A pending one that has run out is written down as expired. One with other facts is taken back: people would
    consent to what is no longer so (invariant 7).
    """
    for request in _same_digest(tx, submission.action.digest):
        if request.state is RequestState.EXPIRED:
            expire_request(tx, core, request)
        elif dump(request.facts.values) == dump(submission.facts.values):
            return request
        elif request.state is RequestState.PENDING:
            entry = {"by": submission.action.actor.id, "action": request.action_id}
            end_request(tx, core, request, RequestEvent.WITHDRAWAL, {**entry}, reason="superseded: the facts changed")
    return None


def _same_digest(tx: Tx, digest: str) -> list[Request]:
    requests, grants = tables.requests.c, tables.grants.c
    unused = (
        (requests.state == RequestState.APPROVED.value) & (grants.state == "open") & (grants.expires_at > tx.now_ms)
    )
    rows = tx.execute(
        select(requests.id)
        .outerjoin(tables.grants, grants.request_id == requests.id)
        .where(requests.digest == digest, or_(requests.state == RequestState.PENDING.value, unused))
        .order_by(requests.id.desc())
        .with_for_update(of=tables.requests)
    ).scalars()
    return [load_request(tx, str(request_id)) for request_id in rows.all()]


def _join(tx: Tx, core: Core, prepared: Prepared, judgement: Judgement, request: Request) -> Decision:
    """The same action again: same request, same people, still one effect. Whoever triggers it becomes an author."""
    roster = core.directory.current(tx)
    authors = authors_of(prepared.submission.action.actor, roster)
    grant_id = tx.execute(
        select(tables.grants.c.id).where(tables.grants.c.request_id == request.id, tables.grants.c.kind == "review")
    ).scalar_one_or_none()
    write_action(tx, prepared, judgement, request_id=request.id, grant_id=None if grant_id is None else str(grant_id))
    if not authors <= request.authors:
        merged = sorted(request.authors | authors)
        tx.execute(tables.requests.update().where(tables.requests.c.id == request.id).values(authors=dump(merged)))
    if request.state is RequestState.PENDING:
        drop_fallen(tx, request, roster, request.authors | authors)
    record(
        tx,
        "request.joined",
        {
            "request": request.id,
            "action": prepared.action_id,
            "digest": prepared.submission.action.digest,
            "authors": sorted(authors),
            "chain": _chain(prepared.submission.action),
            "session": prepared.submission.session,
        },
        action_id=prepared.action_id,
        request_id=request.id,
    )
    if request.state is RequestState.PENDING:  # messages count who joined; a webhook for every repeat would be noise
        announce(tx, chats(core.settings.targets), "request.joined", {"request": request.id})
    return load_decision(tx, prepared.action_id)


def _standing_for(
    tx: Tx, action: Action, obligations: Obligations, roster: Roster, authors: frozenset[str]
) -> str | None:
    """An open standing grant that covers the action and whose signer carries what policy asks."""
    query = select(tables.grants).where(tables.grants.c.kind == "standing", tables.grants.c.state == "open")
    for row in tx.execute(query.order_by(tables.grants.c.id)).all():
        grant = grant_of(row, tx.now_ms)
        if grant.state.value != "open" or grant.uses_left < 1 or grant.pattern is None or grant.signer is None:
            continue
        signed = Signed.decode(grant.pattern)
        vote = signers_vote(signed, grant.signer, grant.opened_at_ms)
        if signed.pattern.admits(action) and supports(
            [vote], obligations, roster, opened_at_ms=grant.opened_at_ms, authors=authors, escalated=False
        ):
            return grant.id
    return None


def _by_standing(tx: Tx, prepared: Prepared, judgement: Judgement, parent: str) -> Decision:
    grant_id = new_id("grt")
    expires = tx.now_ms + judgement.obligations.grant_ms
    write_action(tx, prepared, judgement, grant_id=grant_id)
    tx.insert(
        tables.grants,
        {
            "id": grant_id,
            "kind": "standing_use",
            "state": "open",
            "action_id": prepared.action_id,
            "request_id": None,
            "digest": prepared.submission.action.digest,
            "pattern": None,
            "signer": None,
            "parent_id": parent,
            "uses": 1,
            "uses_left": 1,
            "policy_version": judgement.policy_version,
            "opened_at": tx.now_ms,
            "expires_at": expires,
        },
    )
    record(
        tx,
        "grant.opened",
        {
            "grant": grant_id,
            "action": prepared.action_id,
            "digest": prepared.submission.action.digest,
            "uses": 1,
            "standing": parent,
            "policy": judgement.policy_version,
        },
        action_id=prepared.action_id,
    )
    return _decision(tx, prepared, judgement, ActionState.APPROVED, grant_id=grant_id, expires=expires)


def _open(
    tx: Tx, core: Core, prepared: Prepared, judgement: Judgement, roster: Roster, authors: frozenset[str]
) -> Decision:
    submission, obligations = prepared.submission, judgement.obligations
    request_id = new_id("req")
    preview = render(submission.action, submission.facts, judgement, roster, submission.reason)
    expires = tx.now_ms + obligations.expires_ms
    tx.execute(
        tables.requests.insert(),
        {
            "id": request_id,
            "action_id": prepared.action_id,
            "digest": submission.action.digest,
            "state": RequestState.PENDING.value,
            "stage": 0,
            "stage_since": tx.now_ms,
            "reminded_at": None,
            "escalated_at": None,
            "authors": dump(sorted(authors)),
            "obligations": dump(obligations.to_json()),
            "policy_version": judgement.policy_version,
            "shown": preview.encode(),
            "shown_digest": preview.digest,
            "opened_at": tx.now_ms,
            "expires_at": expires,
            "decided_at": None,
        },
    )
    write_action(tx, prepared, judgement, request_id=request_id)
    record(
        tx,
        "request.opened",
        {
            **judged_fields(prepared, judgement),
            "request": request_id,
            "authors": sorted(authors),
            "quorum": sum(stage.quorum * len(stage.reviewers) for stage in obligations.stages),
            "stages": len(obligations.stages),
            "assurance": max(stage.assurance.rank for stage in obligations.stages),
            "assurances": _assurances(obligations),
            "groups": _groups(obligations),
            "expires": spell_time(expires),
            "shown": preview.digest,
        },
        sealed={"reason": submission.reason},
        action_id=prepared.action_id,
        request_id=request_id,
    )
    tell(tx, core, load_request(tx, request_id), "request.opened")
    return load_decision(tx, prepared.action_id)


def _deny(judgement: Judgement, rule: str, text: str) -> Judgement:
    reasons = (Reason(rule, text), *judgement.reasons)
    return Judgement(Verdict.DENY, reasons, Obligations(), judgement.policy_version)


def judged_fields(prepared: Prepared, judgement: Judgement) -> dict[str, str | list[str] | None]:
    action = prepared.submission.action
    return {
        "action": prepared.action_id,
        "digest": action.digest,
        "operation": action.operation,
        "resource": commit(action.resource.encode("utf-8"), derived_salt(prepared.seal, "resource")),
        "chain": _chain(action),
        "policy": judgement.policy_version,
        "policies": [reason.policy for reason in judgement.reasons],
        "session": prepared.submission.session,
        "door": prepared.submission.door,
    }


def _chain(action: Action) -> list[str]:
    return [link.id for link in action.actor.links()]


def _groups(obligations: Obligations) -> list[str]:
    names = {r.removeprefix("group:") for stage in obligations.stages for r in stage.reviewers if r[:6] == "group:"}
    return sorted(names)


def _assurances(obligations: Obligations) -> list[str] | None:
    """The least assurance of each stage, where there are several: an auditor checks each vote against its own."""
    stages = obligations.stages
    return [str(stage.assurance.rank) for stage in stages] if len(stages) > 1 else None


_ENCODED: dict[int, tuple[Judgement, str, str]] = {}


def encoded(judgement: Judgement) -> tuple[str, str]:
    """The reasons and obligations as columns. Policy gives the same judgement object again and again."""
    known = _ENCODED.get(id(judgement))
    if known is not None and known[0] is judgement:
        return known[1], known[2]
    if len(_ENCODED) > 1024:
        _ENCODED.clear()
    texts = dump_reasons(judgement.reasons), dump(judgement.obligations.to_json())
    _ENCODED[id(judgement)] = (judgement, *texts)
    return texts


def write_action(
    tx: Tx,
    prepared: Prepared,
    judgement: Judgement,
    *,
    request_id: str | None = None,
    grant_id: str | None = None,
    claimable_until: int | None = None,
) -> None:
    """Write the action's row. `claimable_until` is for a grant of policy that gets no row of its own."""
    submission = prepared.submission
    reasons, obligations = encoded(judgement)
    row: Row = {
        "id": prepared.action_id,
        "digest": submission.action.digest,
        "operation": submission.action.operation,
        "resource": submission.action.resource,
        "actor_id": submission.action.actor.id,
        "canonical": submission.action.canonical,
        "seal": prepared.seal,
        "facts": orjson.dumps(dict(submission.facts.values), default=dict).decode()
        if submission.facts.values
        else "{}",
        "reason": submission.reason,
        "idempotency_key": submission.idempotency_key,
        "verdict": judgement.verdict.value,
        "reasons": reasons,
        "obligations": obligations,
        "policy_version": judgement.policy_version,
        "request_id": request_id,
        "grant_id": grant_id,
        "submitted_at": tx.now_ms,
        "claimable_until": claimable_until,
    }
    if submission.idempotency_key is None:
        tx.insert(tables.actions, row)
    else:
        tx.execute(tables.actions.insert(), row)


def _decision(
    tx: Tx,
    prepared: Prepared,
    judgement: Judgement,
    state: ActionState,
    *,
    grant_id: str | None = None,
    expires: int | None = None,
    claim: Claim | None = None,
) -> Decision:
    return Decision(
        action_id=prepared.action_id,
        digest=prepared.submission.action.digest,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        obligations=judgement.obligations,
        state=state,
        policy_version=judgement.policy_version,
        submitted_at_ms=tx.now_ms,
        grant_id=grant_id,
        expires_at_ms=expires,
        claim=claim,
    )
