"""One request, with everything that a decision stands on. Pure.

Whatever is said of the action is read from the stored preview, whose digest goes with the vote: what is seen here is
what runs (invariant 7).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from consentry.consent.eligibility import Ineligible
from consentry.consent.model import BallotVerdict, Decision, Request, Vote
from consentry.consent.preview import Preview, Section
from consentry.consent.states import RequestState
from consentry.policy.model import Roster
from consentry.server.pages.states import Look, look
from consentry.server.pages.views.difference import FileChange, changes
from consentry.server.pages.views.facts import Found, found
from consentry.server.pages.views.names import Party, person, reviewers
from consentry.server.pages.views.requests import Item, item

WHO, FOUND, WHY, SAYS = "Who", "What we found in it", "Why you are asked", "What the caller says (not checked)"
"""The sections of a preview that are laid out; every other is shown as a table, so that none can be missed."""


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote as shown. `stands_for` is set where a delegate voted for somebody away."""

    voter: Party
    stands_for: Party | None
    look: Look
    reason: str | None
    channel: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain as the preview names it, with whoever answers for it."""

    kind: str
    name: str
    id: str
    owner: str | None


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage: who is asked, how many must agree, who has."""

    number: int
    asked: tuple[str, ...]
    quorum: int
    assurance: str
    dots: tuple[bool, ...]
    done: bool
    now: bool
    ballots: tuple[Ballot, ...]
    people: tuple[Party, ...]
    escalates_to: str | None
    escalates_at_ms: int | None


@dataclass(frozen=True, slots=True)
class RequestView:
    """The detail pane."""

    item: Item
    action_id: str
    digest: str
    shown_digest: str
    policy_version: str
    who: tuple[Link, ...]
    exact: tuple[Section, ...]
    found: Found | None
    why: tuple[tuple[str, str], ...]
    says: tuple[tuple[str, str], ...]
    stages: tuple[StageView, ...]
    joined: int
    before: tuple[Item, ...]
    decided_at_ms: int | None
    outcome: Look | None
    summary: str | None
    may_vote: bool
    why_not: str | None
    my_ballot: Ballot | None
    author: bool
    changes: tuple[FileChange, ...]

    @property
    def pending(self) -> bool:
        return self.item.pending


def view(
    request: Request,
    preview: Preview,
    roster: Roster,
    *,
    me: str,
    obstacle: Ineligible | None,
    similar: Sequence[Request],
    decision: Decision,
    policy_files: Mapping[str, str] | None = None,
) -> RequestView:
    """Lay out one request for the person `me`. `policy_files` are those in force, for a change of policy."""
    sections = {section.title: section.rows for section in preview.sections}
    mine = roster.canonical(me)
    ballots = [(vote, _ballot(vote, roster)) for vote in request.votes]
    my_ballot = next((shown for vote, shown in ballots if roster.canonical(vote.person) == mine), None)
    pending = request.state is RequestState.PENDING
    claim = decision.claim
    return RequestView(
        item=item(request, roster, mine=pending and obstacle is None and my_ballot is None),
        action_id=request.action_id,
        digest=request.action.digest,
        shown_digest=preview.digest,
        policy_version=request.policy_version,
        who=_links(sections.get(WHO, ())),
        exact=tuple(s for s in preview.sections if s.title not in (WHO, FOUND, WHY, SAYS)),
        found=found(sections[FOUND]) if FOUND in sections else None,
        why=sections.get(WHY, ()),
        says=sections.get(SAYS, ()),
        stages=_stages(request, roster),
        joined=len(request.action_ids) - 1,
        before=tuple(item(one, roster, mine=False) for one in similar),
        decided_at_ms=request.decided_at_ms,
        outcome=None if pending or decision.state.value == request.state.value else look(decision.state.value),
        summary=None if claim is None else claim.summary,
        may_vote=pending and obstacle is None and my_ballot is None,
        why_not=None if obstacle is None else obstacle.text,
        my_ballot=my_ballot,
        changes=() if policy_files is None else changes(policy_files, _proposed(request)),
        author=mine in {roster.canonical(author) for author in request.authors},
    )


def _proposed(request: Request) -> dict[str, str]:
    """The files of a `policy.change`, from the stored action."""
    files = request.action.arguments.get("files")
    return {name: str(text) for name, text in files.items()} if isinstance(files, Mapping) else {}


def _links(rows: Sequence[tuple[str, str]]) -> tuple[Link, ...]:
    """The chain from whom it started with; an `owned by` row belongs to the link before it."""
    links: list[Link] = []
    for label, name in rows:
        if label == "owned by" and links:
            links[-1] = replace(links[-1], owner=name)
        else:
            shown, _, identifier = name.removesuffix(")").rpartition(" (") if name.endswith(")") else (name, "", "")
            links.append(Link(label.removeprefix("for "), shown or name, identifier if shown else "", None))
    return tuple(reversed(links))


def _ballot(vote: Vote, roster: Roster) -> Ballot:
    stands_for = None if vote.counts_for == vote.person else person(vote.counts_for, roster)
    return Ballot(
        person(vote.person, roster), stands_for, look(vote.verdict.value), vote.reason, vote.channel, vote.at_ms
    )


def _stages(request: Request, roster: Roster) -> tuple[StageView, ...]:
    """Every stage; those before the present one are done."""
    approved = request.state is RequestState.APPROVED
    return tuple(
        _stage(request, roster, at, done=approved or at < request.stage)
        for at in range(len(request.obligations.stages))
    )


def _stage(request: Request, roster: Roster, at: int, *, done: bool) -> StageView:
    stage = request.obligations.stages[at]
    votes = [vote for vote in request.votes if vote.stage == at]
    given = sum(1 for vote in votes if vote.verdict is BallotVerdict.APPROVE)
    authors = {roster.canonical(author) for author in request.authors}
    members = _union(roster.members(one, until_ms=request.opened_at_ms) for one in stage.reviewers)
    escalation = stage.escalation
    return StageView(
        number=at + 1,
        asked=tuple(reviewers(one, roster) for one in stage.reviewers),
        quorum=stage.quorum,
        assurance=stage.assurance.value,
        dots=tuple(done or n < given for n in range(stage.quorum * len(stage.reviewers))),
        done=done,
        now=at == request.stage and request.state is RequestState.PENDING,
        ballots=tuple(_ballot(vote, roster) for vote in votes),
        people=tuple(person(one, roster) for one in sorted(members - authors)),
        escalates_to=None if escalation is None else reviewers(escalation.widen_to, roster),
        escalates_at_ms=None if escalation is None else request.stage_since_ms + escalation.after_ms,
    )


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)
