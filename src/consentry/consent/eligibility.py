"""Who may consent: four eyes on persons (design.md, invariants 3 and 5). Pure, and the only place that knows.

Every path that can approve (votes, delegates, standing grants, the check at the claim) goes through `why_not` and
`supports` (threat A1).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from consentry.actions import Actor, Kind
from consentry.consent.model import BallotVerdict, Delegation, Request, Vote
from consentry.policy.model import Assurance, Obligations, Roster, Stage
from consentry.policy.quorum import assign, satisfied


@dataclass(frozen=True, slots=True)
class Ineligible:
    """Which rule stands in the way, and a sentence for the person."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Standing:
    """As whom a person may vote: as themselves, or for somebody who is away."""

    counts_for: str


def authors_of(actor: Actor, roster: Roster) -> frozenset[str]:
    """The persons in the chain, and the owners and token holders of its agents: those who may not consent to it."""
    authors = {roster.canonical(person) for person in actor.persons()}
    for link in actor.links():
        if link.kind is not Kind.PERSON:
            authors |= roster.answerable(link.id)
    return frozenset(authors)


def stage_sets(
    stage: Stage, roster: Roster, *, opened_at_ms: int, authors: frozenset[str], escalated: bool = False
) -> tuple[frozenset[str], ...]:
    """The persons of each reviewer set of a stage: active, in it since before the request, and no author of it."""
    excluded = {roster.canonical(author) for author in authors}
    wider: frozenset[str] = frozenset()
    if escalated and stage.escalation is not None:
        wider = roster.members(stage.escalation.widen_to, until_ms=opened_at_ms)
    return tuple(
        frozenset((roster.members(reviewers, until_ms=opened_at_ms) | wider) - excluded)
        for reviewers in stage.reviewers
    )


def current_sets(request: Request, roster: Roster, authors: frozenset[str]) -> tuple[frozenset[str], ...]:
    """The reviewer sets of the stage that a request is in."""
    return stage_sets(
        request.obligations.stages[request.stage],
        roster,
        opened_at_ms=request.opened_at_ms,
        authors=authors,
        escalated=request.escalated_at_ms is not None,
    )


def why_not(
    person: str,
    request: Request,
    roster: Roster,
    delegations: Iterable[Delegation],
    *,
    authors: frozenset[str],
    now_ms: int,
) -> Ineligible | Standing:
    """Whether `person` may vote in the current stage, and as whom.

    `authors` are the request's recorded authors and whoever has become one since.
    """
    person = roster.canonical(person)
    if not roster.is_active(person):
        return Ineligible("disabled", "this person is disabled or unknown")
    if person in {roster.canonical(author) for author in authors}:
        return Ineligible(
            "author",
            "you are in this action's chain, own or hold the token of an agent in it, or edited or triggered it:"
            " somebody else must decide",
        )
    members = frozenset().union(*current_sets(request, roster, authors))
    taken = {roster.canonical(vote.counts_for) for vote in request.votes}
    if person in members:
        return Standing(person)
    for away in delegations:
        principal = roster.canonical(away.from_person)
        in_force = away.starts_at_ms <= now_ms < away.ends_at_ms
        if in_force and roster.canonical(away.to_person) == person and principal in members and principal not in taken:
            return Standing(principal)
    stage = request.obligations.stages[request.stage]
    asked = " and ".join(stage.reviewers)
    if any(person in roster.members(reviewers) for reviewers in stage.reviewers):
        return Ineligible("member_since", "you joined the reviewers after this request was opened")
    return Ineligible("not_a_reviewer", f"this stage is decided by `{asked}`, and you are not among them")


def fallen(vote: Vote, request: Request, roster: Roster, authors: frozenset[str]) -> str | None:
    """Why a vote no longer counts, or `None` (invariant 5)."""
    if not (roster.is_active(vote.person) and roster.is_active(vote.counts_for)):
        return "disabled"
    if roster.canonical(vote.person) in {roster.canonical(author) for author in authors}:
        return "author"
    sets = current_sets(replace(request, stage=vote.stage), roster, authors)
    return None if any(roster.canonical(vote.counts_for) in members for members in sets) else "not_a_reviewer"


def stage_satisfied(request: Request, votes: Sequence[Vote], roster: Roster, authors: frozenset[str]) -> bool:
    """Whether the approvals of the current stage reach its quorum in every reviewer set."""
    stage = request.obligations.stages[request.stage]
    approvers = _approvers([vote for vote in votes if vote.stage == request.stage], roster, stage.assurance, authors)
    return satisfied(current_sets(request, roster, authors), stage.quorum, approvers)


def supports(
    votes: Sequence[Vote],
    obligations: Obligations,
    roster: Roster,
    *,
    opened_at_ms: int,
    authors: frozenset[str],
    escalated: bool,
) -> bool:
    """Whether these votes still carry a grant: every set of every stage has its quorum, and nobody counts twice.

    Votes of persons who are no longer eligible fall away here (invariant 5).
    """
    sets: list[frozenset[str]] = []
    quorums: list[int] = []
    for stage in obligations.stages:
        approvers = _approvers(votes, roster, stage.assurance, authors)
        for members in stage_sets(stage, roster, opened_at_ms=opened_at_ms, authors=authors, escalated=escalated):
            sets.append(members & approvers)
            quorums.append(stage.quorum)
    return assign(sets, quorums).complete


def _approvers(votes: Sequence[Vote], roster: Roster, assurance: Assurance, authors: frozenset[str]) -> frozenset[str]:
    """The persons for whom approvals count: voter and represented person are both active, and the voter no author."""
    excluded = {roster.canonical(author) for author in authors}
    return frozenset(
        roster.canonical(vote.counts_for)
        for vote in votes
        if vote.verdict is BallotVerdict.APPROVE
        and vote.assurance.rank >= assurance.rank
        and roster.is_active(vote.person)
        and roster.is_active(vote.counts_for)
        and roster.canonical(vote.person) not in excluded
    )
