"""What outlasts one action: standing grants, break-glass and its review, delegation, revocation."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select, update

from consentry.actions import Action, Actor, Kind, new_id
from consentry.consent.bounds import InvalidPattern
from consentry.consent.claiming import settle
from consentry.consent.core import Core, end_grant
from consentry.consent.eligibility import authors_of
from consentry.consent.errors import (
    AlreadySettled,
    Expired,
    GateError,
    NotAllowed,
    NotEligible,
    ReasonRequired,
    UnknownAction,
)
from consentry.consent.model import Claim, Decision, Delegation, Grant, OutcomeStatus, PostReview, Voter
from consentry.consent.notify import announce
from consentry.consent.policies import SCHEMA_FILE, put_in_force
from consentry.consent.rows import AnyRow, load_action, load_decision, load_grant
from consentry.consent.standing import Signed, StandingPattern
from consentry.consent.states import GrantEvent, GrantState
from consentry.consent.stepup import assurance_of
from consentry.consent.submitting import Prepared, judged_fields, write_action
from consentry.errors import InvalidInput, NotFound
from consentry.policy.cedar import PolicySet
from consentry.policy.check import check
from consentry.policy.model import Judgement, Roster, Verdict
from consentry.policy.problems import PolicyInvalid, Severity
from consentry.store import Tx, tables
from consentry.store.record import record, spell_time

ADMINS = "group:admins"
POLICY_CHANGE = "policy.change"
SIMULATED = 5_000
"""How many of the newest past actions a simulation looks at."""


class GlassHolds(GateError):
    """Break-glass is not open to this person for this action."""

    code = "glass_holds"


class UnknownReview(NotFound):
    """There is no such post-review."""

    code = "unknown_review"


def create_standing(
    tx: Tx, core: Core, pattern: StandingPattern, voter: Voter, *, uses: int, expires_ms: int, reason: str
) -> Grant:
    """The operation behind `Gate.create_standing`. The signer is weighed like a voter at each use."""
    roster = core.directory.current(tx)
    person = _active(voter, roster)
    if not reason.strip():
        raise ReasonRequired("a standing grant needs a `reason`")
    if not 1 <= uses <= core.settings.max_standing_uses:
        raise InvalidPattern(f"`uses` must be from 1 to {core.settings.max_standing_uses}")
    if not 0 < expires_ms <= core.settings.max_standing_ms:
        raise InvalidPattern(f"`expires` must be within {core.settings.max_standing_ms // 86_400_000} days")
    if person == roster.canonical(pattern.actor) or person in roster.answerable(pattern.actor):
        raise NotEligible("you are or own the actor of this grant, or hold its token: somebody else must sign it")
    grant_id = new_id("grt")
    signed = Signed(pattern, assurance_of(voter, None))
    expires = tx.now_ms + expires_ms
    tx.insert(
        tables.grants,
        {
            "id": grant_id,
            "kind": "standing",
            "state": "open",
            "action_id": None,
            "request_id": None,
            "digest": None,
            "pattern": signed.encode(),
            "signer": person,
            "parent_id": None,
            "uses": uses,
            "uses_left": uses,
            "policy_version": tx.versions.policy,
            "opened_at": tx.now_ms,
            "expires_at": expires,
        },
    )
    record(
        tx,
        "standing.created",
        {
            "standing": grant_id,
            "operation": pattern.operation,
            "pattern": pattern.digest,
            "uses": uses,
            "expires": spell_time(expires),
            "person": person,
            "agent": pattern.actor,
        },
        sealed={"reason": reason, "resource": pattern.resource},
        request_id=grant_id,
    )
    announce(tx, core.settings.targets, "standing.created", {"standing": grant_id, "operation": pattern.operation})
    return load_grant(tx, grant_id)


def simulate(tx: Tx, pattern: StandingPattern, since_ms: int | None) -> tuple[str, ...]:
    """The ids of past actions that the pattern would have let through, newest first."""
    actions = tables.actions.c
    query = (
        select(actions.id, actions.canonical)
        .where(
            actions.operation == pattern.operation,
            actions.resource == pattern.resource,
            actions.actor_id == pattern.actor,
        )
        .order_by(actions.id.desc())
        .limit(SIMULATED)
    )
    if since_ms is not None:
        query = query.where(actions.submitted_at >= since_ms)
    return tuple(row.id for row in tx.execute(query) if pattern.admits(Action.from_canonical(row.canonical)))


def revoke(tx: Tx, core: Core, grant_id: str, voter: Voter, reason: str | None) -> Grant:
    """The operation behind `Gate.revoke_grant`: at once, for the persons who have to do with it and administrators."""
    grant = load_grant(tx, grant_id, lock=True)
    roster = core.directory.current(tx)
    person = _active(voter, roster)
    if person not in _concerned(tx, grant, roster):
        raise NotAllowed("only who gave this grant, whom it is for, or an administrator can revoke it")
    if grant.kind == "standing":
        changed = tx.execute(
            update(tables.grants)
            .where(
                tables.grants.c.id == grant_id, tables.grants.c.state == "open", tables.grants.c.expires_at > tx.now_ms
            )
            .values(state="revoked")
        )
        if changed.rowcount == 1:
            record(
                tx,
                "standing.revoked",
                {"standing": grant_id, "person": person},
                sealed={"reason": reason},
                request_id=grant_id,
            )
    else:
        lapsed = grant.state is GrantState.EXPIRED  # by the clock, which came first
        end_grant(
            tx,
            grant_id,
            GrantEvent.TIME if lapsed else GrantEvent.REVOCATION,
            action_id=grant.action_id,
            request_id=grant.request_id,
            entry={} if lapsed else {"person": person},
            reason=None if lapsed else reason,
        )
    return load_grant(tx, grant_id)


def _concerned(tx: Tx, grant: Grant, roster: Roster) -> frozenset[str]:
    persons = set(roster.members(ADMINS))
    if grant.signer is not None:
        persons.add(roster.canonical(grant.signer))
    if grant.action_id is not None:
        persons |= authors_of(load_action(tx, grant.action_id).actor, roster)
    if grant.pattern is not None and (owner := roster.owner_of(Signed.decode(grant.pattern).pattern.actor)):
        persons.add(owner)
    if grant.request_id is not None:
        votes = select(tables.votes.c.person_id).where(tables.votes.c.request_id == grant.request_id)
        persons |= {roster.canonical(str(one)) for one in tx.execute(votes).scalars()}
    return frozenset(persons)


def break_glass(tx: Tx, core: Core, prepared: Prepared, voter: Voter, reason: str) -> Decision:
    """The operation behind `Gate.break_glass`: a person acts now and answers for it afterwards.

    It skips people, not policy: what policy denies stays denied, and what it allows needs no broken glass.
    """
    roster = core.directory.current(tx)
    person = _active(voter, roster)
    if not reason.strip():
        raise ReasonRequired("break-glass needs a `reason`")
    action = prepared.submission.action
    if action.actor != Actor(Kind.PERSON, voter.person):
        raise NotAllowed("break-glass is for a person's own action, not for an agent's")
    judgement = core.judge(tx, action, prepared.submission.facts)
    _check_glass(judgement, person, roster)
    grant_id, review_id = new_id("grt"), new_id("rev")
    expires = tx.now_ms + judgement.obligations.grant_ms
    write_action(tx, prepared, judgement, grant_id=grant_id)
    tx.insert(
        tables.grants,
        {
            "id": grant_id,
            "kind": "breakglass",
            "state": "open",
            "action_id": prepared.action_id,
            "request_id": None,
            "digest": action.digest,
            "pattern": None,
            "signer": person,
            "parent_id": None,
            "uses": 1,
            "uses_left": 1,
            "policy_version": judgement.policy_version,
            "opened_at": tx.now_ms,
            "expires_at": expires,
        },
    )
    tx.insert(
        tables.post_reviews,
        {
            "id": review_id,
            "action_id": prepared.action_id,
            "grant_id": grant_id,
            "person_id": person,
            "reason": reason,
            "opened_at": tx.now_ms,
            "closed_by": None,
            "closed_at": None,
            "note": None,
        },
    )
    _record_glass(tx, prepared, judgement, voter, person, review_id, grant_id, expires, reason)
    skipped = sorted({r for stage in judgement.obligations.stages for r in stage.reviewers})
    announce(
        tx,
        core.settings.targets,
        "breakglass.used",
        {
            "review": review_id,
            "action": prepared.action_id,
            "operation": action.operation,
            "person": person,
            "skipped": list(skipped),
        },
    )
    return load_decision(tx, prepared.action_id)


def _check_glass(judgement: Judgement, person: str, roster: Roster) -> None:
    sets = judgement.obligations.break_glass
    if judgement.verdict is Verdict.ALLOW:
        raise GlassHolds("policy allows this action as it is: submit it")
    if judgement.verdict is Verdict.DENY:
        raise GlassHolds("policy denies this action, and break-glass does not overrule a denial")
    if sets is None or not sets:
        raise GlassHolds("no rule lets anybody break glass for this action: it needs `@break_glass`")
    if not all(person in roster.members(reviewers) for reviewers in sets):
        raise GlassHolds(f"break-glass is for `{' and '.join(sets)}` here, and you are not among them")


def _record_glass(
    tx: Tx,
    prepared: Prepared,
    judgement: Judgement,
    voter: Voter,
    person: str,
    review_id: str,
    grant_id: str,
    expires: int,
    reason: str,
) -> None:
    judged = judged_fields(prepared, judgement)
    record(
        tx,
        "breakglass.used",
        {
            "breakglass": review_id,
            "person": person,
            "action": prepared.action_id,
            "digest": prepared.submission.action.digest,
            "operation": prepared.submission.action.operation,
            "resource": judged["resource"],
            "chain": judged["chain"],
            "policy": judgement.policy_version,
            "expires": spell_time(expires),
            "assurance": assurance_of(voter, None).rank,
            "session": voter.session,
        },
        sealed={"reason": reason},
        action_id=prepared.action_id,
    )
    record(
        tx,
        "grant.opened",
        {
            "grant": grant_id,
            "action": prepared.action_id,
            "digest": prepared.submission.action.digest,
            "uses": 1,
            "breakglass": review_id,
        },
        action_id=prepared.action_id,
    )


def close_post_review(tx: Tx, core: Core, review_id: str, voter: Voter, note: str) -> PostReview:
    """The operation behind `Gate.close_post_review`: by somebody else than who broke the glass."""
    roster = core.directory.current(tx)
    person = _active(voter, roster)
    reviews = tables.post_reviews.c
    row = tx.execute(select(tables.post_reviews).where(reviews.id == review_id).with_for_update()).one_or_none()
    if row is None:
        raise UnknownReview(f"there is no post-review `{review_id[:40]}`")
    if person == roster.canonical(row.person_id):
        raise NotEligible("you broke this glass: somebody else closes the review")
    if not note.strip():
        raise ReasonRequired("closing a post-review needs a `note`")
    if row.closed_at is None:
        tx.execute(
            update(tables.post_reviews)
            .where(reviews.id == review_id)
            .values(closed_by=person, closed_at=tx.now_ms, note=note)
        )
        record(
            tx,
            "breakglass.reviewed",
            {"breakglass": review_id, "person": person},
            sealed={"reason": note},
            action_id=row.action_id,
        )
    return review_of(tx.execute(select(tables.post_reviews).where(reviews.id == review_id)).one())


def review_of(row: AnyRow) -> PostReview:
    return PostReview(
        row.id,
        row.action_id,
        row.grant_id,
        row.person_id,
        row.reason,
        row.opened_at,
        row.closed_by,
        row.closed_at,
        row.note,
    )


def delegate(tx: Tx, core: Core, voter: Voter, to_person: str, starts_at_ms: int, ends_at_ms: int) -> Delegation:
    """The operation behind `Gate.delegate`: while away, let somebody else vote in your place."""
    roster = core.directory.current(tx)
    person, other = _active(voter, roster), roster.canonical(to_person)
    if not roster.is_active(other) or other == person:
        raise InvalidInput("`to` must be another active person")
    starts = max(starts_at_ms, tx.now_ms)
    if not starts < ends_at_ms <= tx.now_ms + 366 * 86_400_000:
        raise InvalidInput("a delegation must end after it starts, and within a year")
    made = Delegation(new_id("del"), person, other, starts, ends_at_ms)
    tx.insert(
        tables.delegations,
        {
            "id": made.id,
            "from_person": person,
            "to_person": other,
            "starts_at": starts,
            "ends_at": ends_at_ms,
            "created_at": tx.now_ms,
        },
    )
    record(
        tx,
        "delegation.created",
        {
            "delegation": made.id,
            "person": person,
            "delegate": other,
            "starts": spell_time(starts),
            "expires": spell_time(ends_at_ms),
        },
    )
    return made


def end_delegation(tx: Tx, core: Core, delegation_id: str, voter: Voter) -> Delegation:
    """The operation behind `Gate.end_delegation`: from now on. For either side, and administrators."""
    roster = core.directory.current(tx)
    person = _active(voter, roster)
    rows = tables.delegations.c
    row = tx.execute(select(tables.delegations).where(rows.id == delegation_id).with_for_update()).one_or_none()
    allowed = row is not None and (
        person in (roster.canonical(row.from_person), roster.canonical(row.to_person))
        or person in roster.members(ADMINS)
    )
    if row is None or not allowed:
        raise NotFound(f"there is no delegation `{delegation_id[:40]}` of yours")
    if row.ends_at > tx.now_ms:
        tx.execute(update(tables.delegations).where(rows.id == delegation_id).values(ends_at=tx.now_ms))
        record(tx, "delegation.ended", {"delegation": delegation_id, "by": person})
    return Delegation(row.id, row.from_person, row.to_person, row.starts_at, min(row.ends_at, tx.now_ms))


def apply_policy(tx: Tx, core: Core, claim_id: str, by: Actor) -> Claim:
    """The operation behind `Gate.apply_policy`: what was consented to, read from the stored action, takes force."""
    claims = tables.claims.c
    row = tx.execute(
        select(claims.action_id, claims.state, claims.lease_until).where(claims.id == claim_id).with_for_update()
    ).one_or_none()
    action = None if row is None else load_action(tx, row.action_id)
    if row is None or action is None or action.actor != by or action.operation != POLICY_CHANGE:
        raise UnknownAction(f"there is no claimed `{POLICY_CHANGE}` with the claim `{claim_id[:40]}` of yours")
    if row.state != "claimed":
        raise AlreadySettled("this change of policy was settled before")
    if row.lease_until <= tx.now_ms:
        raise Expired("the lease of this claim has ended, and policy may have moved on: submit the change again")
    policies, schema = proposed_policies(action, core.directory.current(tx), core.policies.current(tx))
    put_in_force(tx, policies, schema, by=by.id, action_id=row.action_id, digest=action.digest)
    return settle(tx, claim_id, by, OutcomeStatus.SUCCEEDED, None)


def proposed_policies(action: Action, roster: Roster, current: PolicySet) -> tuple[PolicySet, str | None]:
    """The policy set that a `policy.change` proposes, and its schema file.

    Raises `PolicyInvalid` where it does not load, or has a rule that nobody there is could satisfy (threat A11). A rule
    that is so already, and asks for the same as before, does not stand in the way of changing others.
    """
    files = policy_files(action)
    schema = files.pop(SCHEMA_FILE, None)
    policies = PolicySet.load(files, schema)
    before = {(problem.policy, problem.text) for problem in check(current, roster)}
    broken = [
        problem
        for problem in check(policies, roster)
        if problem.severity is Severity.ERROR and (problem.policy, problem.text) not in before
    ]
    if broken:
        raise PolicyInvalid(broken)
    return policies, schema


def policy_files(action: Action) -> dict[str, str]:
    """The files of a `policy.change` action: `arguments.files`, name to text. Raises `InvalidInput`."""
    files = action.arguments.get("files")
    if action.arguments.keys() != {"files"} or not isinstance(files, Mapping) or not files:
        raise InvalidInput("`arguments` of `policy.change` must be `{files: {NAME: TEXT}}`")
    if not all(
        isinstance(text, str) and (name == SCHEMA_FILE or name.endswith(".cedar")) for name, text in files.items()
    ):
        raise InvalidInput("`arguments.files` must map names of `*.cedar` files to their text")
    return {name: str(text) for name, text in files.items()}


def _active(voter: Voter, roster: Roster) -> str:
    person = roster.canonical(voter.person)
    if not roster.is_active(person):
        raise NotAllowed("this person is disabled or unknown")
    return person
