"""Actions and what the gate says of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Self

import orjson
from pydantic import Field, JsonValue

from consentry.actions import Action, Actor, Kind
from consentry.consent.model import ActionState, Claim, Decision, OutcomeStatus
from consentry.policy.model import Assurance, Level, Obligations, Reason, Roster, Verdict
from consentry.server.views.base import (
    Body,
    Id,
    JsonMap,
    Name,
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


class OperandBody(Body):
    """Something mutable that the action refers to, pinned by the SHA-256 of its bytes."""

    name: Annotated[str, Field(min_length=1, max_length=4096), Storable]
    sha256: Sha256


class ActionBody(Body):
    """One attempt, exactly. `arguments` and `context` are opaque: nothing in them carries a decision."""

    operation: Annotated[
        str, Field(max_length=100, pattern=r"^[a-z][a-z0-9]*(?:[._-][a-z0-9]+){1,7}$", examples=["dataset.export"])
    ]
    resource: Annotated[Name, Field(examples=["crm"])]
    arguments: JsonMap = Field(
        default_factory=dict, description="exact, to the character: two spellings are two actions"
    )
    operands: list[OperandBody] = Field(default_factory=list, max_length=1000)
    context: JsonMap = Field(
        default_factory=dict, description="what the caller says of the attempt: a run, a ticket, a purpose"
    )


class SubmitBody(ActionBody):
    """An action on its way into the gate."""

    reason: Words | None = Field(default=None, description="for the people who are asked; shown as the caller's words")
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200), Storable] | None = Field(
        default=None, description="a repeat with the same key answers with the first one"
    )
    claim: bool = Field(default=False, description="take the claim at once where policy allows the action outright")


class WaitQuery(Query):
    """How long to hold the answer back while the action is pending."""

    wait: Annotated[float, Field(ge=0, le=3600)] = Field(default=0, description="seconds, cut to `limits.wait`")


class ReasonView(View):
    """Which rule, and its text for people."""

    policy: str
    text: str


class EscalationView(View):
    after_ms: int
    widen_to: str


class StageView(View):
    """One step of a review: every reviewer set by `quorum` distinct persons."""

    reviewers: list[str]
    quorum: int
    assurance: Assurance
    remind_after_ms: int | None
    escalation: EscalationView | None


class ObligationsView(View):
    """What the verdict comes with."""

    stages: list[StageView]
    expires_ms: int
    grant_ms: int
    masks: list[str]
    level: Level
    break_glass: list[str] | None

    @classmethod
    def of(cls, one: Obligations) -> Self:
        return cls(
            stages=[
                StageView(
                    reviewers=list(stage.reviewers),
                    quorum=stage.quorum,
                    assurance=stage.assurance,
                    remind_after_ms=stage.remind_after_ms,
                    escalation=None
                    if stage.escalation is None
                    else EscalationView(after_ms=stage.escalation.after_ms, widen_to=stage.escalation.widen_to),
                )
                for stage in one.stages
            ],
            expires_ms=one.expires_ms,
            grant_ms=one.grant_ms,
            masks=list(one.masks),
            level=one.level,
            break_glass=None if one.break_glass is None else list(one.break_glass),
        )


class OutcomeView(View):
    """How it went. `status` is `claimed` while under way and `unknown` where nobody said in time."""

    claim_id: str
    status: str
    claimed_at: Time
    lease_until: Time
    settled_at: Time | None
    summary: str | None


class DecisionView(View):
    """What the gate says of one action now. `verdict` and `reasons` are policy's at submission; `state` moves on."""

    id: str
    digest: Sha256
    verdict: Verdict
    reasons: list[ReasonView]
    obligations: ObligationsView
    state: ActionState
    request_id: str | None
    grant_id: str | None
    url: str | None = Field(description="where people decide")
    submitted_at: Time
    expires_at: Time | None
    policy_version: str
    decided_reason: str | None = Field(description="the words of the person who decided")
    outcome: OutcomeView | None

    @classmethod
    def of(cls, one: Decision, origin: str) -> Self:
        return cls(
            id=one.action_id,
            digest=one.digest,
            verdict=one.verdict,
            reasons=[ReasonView(policy=reason.policy, text=reason.text) for reason in one.reasons],
            obligations=ObligationsView.of(one.obligations),
            state=one.state,
            request_id=one.request_id,
            grant_id=one.grant_id,
            url=None if one.request_id is None else f"{origin}/requests/{one.request_id}",
            submitted_at=time_text(one.submitted_at_ms),
            expires_at=time_or_none(one.expires_at_ms),
            policy_version=one.policy_version,
            decided_reason=one.decided_reason,
            outcome=None if one.claim is None else outcome(one.claim),
        )


def decision_json(one: Decision, origin: str) -> bytes:
    """What `DecisionView.of` says, as JSON: the busiest answer of all, written without a model in between."""
    claim = one.claim
    return orjson.dumps(
        {
            "id": one.action_id,
            "digest": one.digest,
            "verdict": one.verdict.value,
            "reasons": _reasons_json(one.reasons),
            "obligations": _obligations_json(one.obligations),
            "state": one.state.value,
            "request_id": one.request_id,
            "grant_id": one.grant_id,
            "url": None if one.request_id is None else f"{origin}/requests/{one.request_id}",
            "submitted_at": time_text(one.submitted_at_ms),
            "expires_at": time_or_none(one.expires_at_ms),
            "policy_version": one.policy_version,
            "decided_reason": one.decided_reason,
            "outcome": None
            if claim is None
            else {
                "claim_id": claim.id,
                "status": claim.state.value,
                "claimed_at": time_text(claim.claimed_at_ms),
                "lease_until": time_text(claim.lease_until_ms),
                "settled_at": time_or_none(claim.settled_at_ms),
                "summary": claim.summary,
            },
        }
    )


@lru_cache(maxsize=1024)
def _reasons_json(reasons: tuple[Reason, ...]) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps([{"policy": one.policy, "text": one.text} for one in reasons]))


@lru_cache(maxsize=1024)
def _obligations_json(obligations: Obligations) -> orjson.Fragment:
    return orjson.Fragment(ObligationsView.of(obligations).model_dump_json().encode())


def outcome(claim: Claim) -> OutcomeView:
    return OutcomeView(
        claim_id=claim.id,
        status=claim.state.value,
        claimed_at=time_text(claim.claimed_at_ms),
        lease_until=time_text(claim.lease_until_ms),
        settled_at=time_or_none(claim.settled_at_ms),
        summary=claim.summary,
    )


class LinkView(View):
    """One link of a chain: who acts, with a name for people."""

    kind: Kind
    id: str
    name: str | None


class ActionView(View):
    """An action in full, for those who may see it. `chain` begins with the link that presented the credential."""

    id: str
    digest: Sha256
    operation: str
    resource: str
    arguments: JsonMap
    operands: list[OperandBody]
    context: JsonMap
    chain: list[LinkView]

    @classmethod
    def of(cls, action_id: str, one: Action, roster: Roster) -> Self:
        return cls(
            id=action_id,
            digest=one.digest,
            operation=one.operation,
            resource=one.resource,
            arguments={name: plain(value) for name, value in one.arguments.items()},
            operands=[OperandBody(name=operand.name, sha256=operand.sha256) for operand in one.operands],
            context={name: plain(value) for name, value in one.context.items()},
            chain=[link(actor, roster) for actor in one.actor.links()],
        )


def link(actor: Actor, roster: Roster) -> LinkView:
    return LinkView(kind=actor.kind, id=actor.id, name=party(actor.kind, actor.id, roster))


def party(kind: Kind, identifier: str, roster: Roster) -> str | None:
    """The name of a person, agent or service."""
    if kind is Kind.PERSON:
        person = roster.persons.get(roster.canonical(identifier))
        return None if person is None else person.name
    agent = roster.agents.get(identifier)
    return None if agent is None else agent.name


class ActionDetail(DecisionView):
    """A decision with its action."""

    action: ActionView


class HistoryQuery(Query):
    """Which past actions; all filters must hold."""

    operation: Annotated[str, Field(max_length=100), Storable] | None = None
    resource: Annotated[str, Field(max_length=1024), Storable] | None = None
    actor: Annotated[str, Field(max_length=200), Storable] | None = Field(
        default=None, description="an id in the chain's first link"
    )
    state: ActionState | None = None
    verdict: Verdict | None = None
    since: Time | None = None
    until: Time | None = None
    before: Id | None = Field(default=None, description="the `next` of the page before")
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class HistoryPage(View):
    """Actions, newest first. `next` is what `before` takes for the next page."""

    items: list[ActionDetail]
    next: str | None


class ClaimBody(Body):
    """What the operands are now, where the caller has read them again."""

    operands: list[OperandBody] | None = Field(default=None, max_length=1000)


class ClaimView(View):
    """The right, taken. Perform the action before `lease_until`, then report the outcome."""

    claim_id: str
    action_id: str
    grant_id: str
    state: str
    claimed_at: Time
    lease_until: Time
    settled_at: Time | None
    summary: str | None
    credentials: dict[str, JsonValue] | None = Field(
        default=None, description="short-lived, where a connector hands some out"
    )

    @classmethod
    def of(cls, one: Claim) -> Self:
        return cls(
            claim_id=one.id,
            action_id=one.action_id,
            grant_id=one.grant_id,
            state=one.state.value,
            claimed_at=time_text(one.claimed_at_ms),
            lease_until=time_text(one.lease_until_ms),
            settled_at=time_or_none(one.settled_at_ms),
            summary=one.summary,
        )


class OutcomeBody(Body):
    """What really happened."""

    status: Annotated[OutcomeStatus, Field(strict=False)]
    summary: Words | None = None


class BreakGlassBody(ActionBody):
    """An action in an emergency: nobody is asked, everybody is told, and somebody else looks at it afterwards."""

    reason: Words
