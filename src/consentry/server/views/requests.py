"""Requests, votes, grants, and what lasts longer than one action."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from consentry.actions import Kind
from consentry.consent.model import BallotVerdict, Delegation, Grant, PostReview, Request, Signed, Vote
from consentry.consent.preview import Preview
from consentry.consent.states import GrantState, RequestState
from consentry.policy.model import Assurance, Roster
from consentry.server.problems import Problem
from consentry.server.views.actions import ActionView, ObligationsView, ReasonView, party
from consentry.server.views.base import (
    Body,
    Id,
    JsonMap,
    Query,
    Sha256,
    Storable,
    Time,
    View,
    Words,
    plain,
    time_or_none,
    time_text,
)
from consentry.server.views.passkeys import AssertionBody, StepUpView, signed_or_none


class RequestsQuery(Query):
    """Which requests."""

    state: RequestState | None = None
    resource: Annotated[str, Field(max_length=1024), Storable] | None = None
    operation: Annotated[str, Field(max_length=100), Storable] | None = None
    mine: bool = Field(default=False, description="only those that this person may decide")
    before: Id | None = Field(default=None, description="the `next` of the page before")
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class VoteView(View):
    """One person's word. `counts_for` differs from `person` where a delegate voted for somebody away."""

    id: str
    person: str
    name: str | None
    counts_for: str
    stage: int
    verdict: BallotVerdict
    reason: str | None
    assurance: Assurance
    channel: str
    shown_digest: str
    at: Time
    issued_by: str | None = Field(
        description="who made the sign-in link of the voter's session, where that was somebody else"
    )

    @classmethod
    def of(cls, one: Vote, roster: Roster) -> Self:
        return cls(
            id=one.id,
            person=one.person,
            name=party(Kind.PERSON, one.person, roster),
            counts_for=one.counts_for,
            stage=one.stage,
            verdict=one.verdict,
            reason=one.reason,
            assurance=one.assurance,
            channel=one.channel,
            shown_digest=one.shown_digest,
            at=time_text(one.at_ms),
            issued_by=one.issued_by,
        )


class Eligibility(View):
    """Whether the caller may vote on this request now, and which rule stands in the way."""

    allowed: bool
    code: str | None = None
    text: str | None = None


class RequestView(View):
    """A durable question to people: may this action happen? `stage` counts from 0."""

    id: str
    state: RequestState
    action: ActionView
    action_ids: list[str] = Field(description="all submissions that joined")
    authors: list[str] = Field(description="persons who may not vote")
    reason: str | None = Field(description="the caller's words, not checked")
    reasons: list[ReasonView]
    obligations: ObligationsView
    facts: JsonMap
    policy_version: str
    shown_digest: Sha256
    stage: int
    opened_at: Time
    expires_at: Time
    decided_at: Time | None
    escalated_at: Time | None
    votes: list[VoteView]
    may_vote: Eligibility
    url: str

    @classmethod
    def fields(cls, one: Request, roster: Roster, may_vote: Eligibility, origin: str) -> dict[str, object]:
        """The members that a list and the full view share."""
        return {
            "id": one.id,
            "state": one.state,
            "action": ActionView.of(one.action_id, one.action, roster),
            "action_ids": list(one.action_ids),
            "authors": sorted(one.authors),
            "reason": one.caller_reason,
            "reasons": [ReasonView(policy=reason.policy, text=reason.text) for reason in one.reasons],
            "obligations": ObligationsView.of(one.obligations),
            "facts": {name: plain(value) for name, value in one.facts.values.items()},
            "policy_version": one.policy_version,
            "shown_digest": one.shown_digest,
            "stage": one.stage,
            "opened_at": time_text(one.opened_at_ms),
            "expires_at": time_text(one.expires_at_ms),
            "decided_at": time_or_none(one.decided_at_ms),
            "escalated_at": time_or_none(one.escalated_at_ms),
            "votes": [VoteView.of(vote, roster) for vote in one.votes],
            "may_vote": may_vote,
            "url": f"{origin}/requests/{one.id}",
        }


class SectionView(View):
    """A titled list of label and value. Hidden characters are escaped already."""

    title: str
    rows: list[tuple[str, str]]


class PreviewView(View):
    """What people are shown, rendered from the stored action. `digest` is what a vote must name."""

    sections: list[SectionView]
    text: str
    digest: Sha256

    @classmethod
    def of(cls, one: Preview) -> Self:
        return cls(
            sections=[SectionView(title=section.title, rows=list(section.rows)) for section in one.sections],
            text=one.text,
            digest=one.digest,
        )


class RequestDetail(RequestView):
    """A request with its rendered preview and what was decided before on the same shape."""

    preview: PreviewView
    similar: list[str] = Field(description="ids of earlier requests of the same operation and resource")
    passkey: StepUpView | None = Field(description="where an approval of the present stage is signed with a passkey")


class RequestsPage(View):
    """Requests, those that the caller may decide first. `next` is what `before` takes for the next page."""

    items: list[RequestView]
    next: str | None


class VoteBody(Body):
    """A person's word on exactly what they were shown."""

    verdict: Annotated[BallotVerdict, Field(strict=False)]
    shown_digest: Sha256
    reason: Words | None = None
    assertion: AssertionBody | None = Field(default=None, description="a passkey's signature over exactly this vote")

    def signed(self) -> Signed | None:
        """The signature as the gate takes it. Raises `PasskeyRejected`."""
        return signed_or_none(self.assertion)


class WordBody(VoteBody):
    """A person's word on one of several requests."""

    request: Id


class VotesBody(Body):
    """Words on several requests. Each is cast by itself."""

    votes: Annotated[list[WordBody], Field(min_length=1, max_length=50)]


class VoteResult(View):
    """What came of one word: `status` as a vote by itself would have answered, `state` or `problem`."""

    request: str
    status: int
    state: RequestState | None = None
    problem: Problem | None = None


class VoteResults(View):
    """What came of each word, in the order in which they were sent."""

    results: list[VoteResult]


class ReasonBody(Body):
    """Why; may be left out."""

    reason: Words | None = None


class StandingBody(Body):
    """A standing grant: bounded by pattern, count and time."""

    pattern: JsonMap = Field(
        examples=[{"actor": "agt_…", "operation": "dataset.export", "resource": "crm", "arguments": {}}],
        description="`actor`, `operation`, `resource`, and for every one of `arguments` and `context`, by name or JSON "
        "pointer, one bound: `{equals}`, `{one_of}`, `{at_most}` or `{prefix}`; `operands` are what an action pins, by "
        "name and SHA-256",
    )
    uses: Annotated[int, Field(ge=1, le=2**31 - 1)]
    expires_ms: Annotated[int, Field(ge=1, le=2**53 - 1)] = Field(description="from now")
    reason: Words


class SimulateBody(Body):
    """Which past actions a pattern would have let through."""

    pattern: JsonMap
    since: Time | None = None


class SimulationView(View):
    """The past actions that the pattern would have let through, and that the caller may see."""

    action_ids: list[str]
    count: int


class GrantView(View):
    """The right to perform one exact action, or a bounded family (`kind` standing)."""

    id: str
    kind: str
    state: GrantState
    action_id: str | None
    request_id: str | None
    digest: str | None
    pattern: JsonMap | None
    signer: str | None
    uses: int
    uses_left: int
    opened_at: Time
    expires_at: Time

    @classmethod
    def of(cls, one: Grant) -> Self:
        from consentry.consent.standing import Signed

        pattern = None if one.pattern is None else Signed.decode(one.pattern).pattern.to_json()
        return cls(
            id=one.id,
            kind=one.kind,
            state=one.state,
            action_id=one.action_id,
            request_id=one.request_id,
            digest=one.digest,
            pattern=None if pattern is None else {name: plain(value) for name, value in pattern.items()},
            signer=one.signer,
            uses=one.uses,
            uses_left=one.uses_left,
            opened_at=time_text(one.opened_at_ms),
            expires_at=time_text(one.expires_at_ms),
        )


class GrantsQuery(Query):
    open: bool = Field(default=False, description="only those that can still be used")


class GrantsPage(View):
    items: list[GrantView]


class DelegationBody(Body):
    """Somebody who may vote for the caller while they are away."""

    to_person: Id
    starts_at: Time
    ends_at: Time


class DelegationView(View):
    """While `from_person` is away, `to_person` may vote for them."""

    id: str
    from_person: str
    to_person: str
    starts_at: Time
    ends_at: Time

    @classmethod
    def of(cls, one: Delegation) -> Self:
        return cls(
            id=one.id,
            from_person=one.from_person,
            to_person=one.to_person,
            starts_at=time_text(one.starts_at_ms),
            ends_at=time_text(one.ends_at_ms),
        )


class DelegationsPage(View):
    items: list[DelegationView]


class PostReviewsQuery(Query):
    open: bool = Field(default=True, description="only those that nobody has closed")


class PostReviewBody(Body):
    """What somebody else found when they looked at it afterwards."""

    note: Words


class PostReviewView(View):
    """Break-glass leaves one open until somebody else closes it."""

    id: str
    action_id: str
    grant_id: str
    person: str
    reason: str
    opened_at: Time
    closed_by: str | None
    closed_at: Time | None
    note: str | None

    @classmethod
    def of(cls, one: PostReview) -> Self:
        return cls(
            id=one.id,
            action_id=one.action_id,
            grant_id=one.grant_id,
            person=one.person,
            reason=one.reason,
            opened_at=time_text(one.opened_at_ms),
            closed_by=one.closed_by,
            closed_at=time_or_none(one.closed_at_ms),
            note=one.note,
        )


class PostReviewsPage(View):
    items: list[PostReviewView]
