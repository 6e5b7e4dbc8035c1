"""How reviews go, as the API answers it: names and counts, and nothing of what was asked."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field

from consentry.actions import Kind
from consentry.consent.load import Load, Tally
from consentry.consent.load_advice import Obstacle
from consentry.policy.model import Roster
from consentry.server.load import Report, Saving
from consentry.server.views.actions import party
from consentry.server.views.base import Query, Time, View, time_text


class LoadQuery(Query):
    """Which period, up to now."""

    days: Annotated[Literal["7", "30", "90"], Field(description="7, 30 or 90")] = "30"


class TallyView(View):
    """How requests ended, and how long decisions took (milliseconds; `null` where there were none)."""

    asked: int
    approved: int
    denied: int
    expired: int
    unanswered: int = Field(description="expired without a single vote")
    withdrawn: int
    overtaken: int = Field(description="denied by a change of policy, by no person")
    pending: int
    approve_rate: float | None
    median_ms: int | None
    p90_ms: int | None

    @classmethod
    def of(cls, one: Tally) -> Self:
        return cls(
            asked=one.asked,
            approved=one.approved,
            denied=one.denied,
            expired=one.expired,
            unanswered=one.unanswered,
            withdrawn=one.withdrawn,
            overtaken=one.overtaken,
            pending=one.pending,
            approve_rate=one.approve_rate,
            median_ms=one.times.median_ms,
            p90_ms=one.times.p90_ms,
        )


class RuleLoadView(View):
    """One rule. `alone` counts approvals for which no other rule asked: what a narrower rule would have saved."""

    policy: str
    tally: TallyView
    never_denied: bool
    alone: int


class GroupLoadView(View):
    """One reviewer set."""

    reviewers: str
    tally: TallyView


class PersonLoadView(View):
    """One person's votes. `outside` are those outside 8–20 o'clock UTC."""

    person: str
    name: str | None
    votes: int
    approvals: int
    denials: int
    share: float
    outside: int


class BoundView(View):
    """How an argument would be bounded, without the value."""

    argument: str
    bound: str


class ShapeView(View):
    """What is asked again and again, and how many of it the proposed standing grant would have let through.

    Nothing is granted by this; `grant_url` opens the page on which a person could.
    """

    operation: str
    resource: str
    actor: str
    name: str | None
    arguments: list[str]
    tally: TallyView
    proposal: list[BoundView] | None
    obstacle: Obstacle | None = Field(description="why there is no proposal")
    would_have_let_through: int
    grant_url: str | None


class LoadView(View):
    """How reviews went in a period, as far as the caller may see. `hours` are votes by hour of the day, UTC."""

    since: Time
    until: Time
    cut: bool = Field(description="there were more requests than the newest that are measured")
    tally: TallyView
    rules: list[RuleLoadView]
    groups: list[GroupLoadView]
    people: list[PersonLoadView]
    hours: list[int]
    shapes: list[ShapeView]

    @classmethod
    def of(cls, one: Report, roster: Roster, origin: str) -> Self:
        load = one.load
        return cls(
            since=time_text(load.since_ms),
            until=time_text(load.until_ms),
            cut=one.cut,
            tally=TallyView.of(load.tally),
            rules=_rules(load),
            groups=[GroupLoadView(reviewers=row.reviewers, tally=TallyView.of(row.tally)) for row in load.groups],
            people=_people(load, roster),
            hours=list(load.hours),
            shapes=[_shape(saving, one.days, roster, origin) for saving in one.savings],
        )


def grant_path(saving: Saving, days: int) -> str:
    """Where a new grant is written for a shape: named by an action, so that no value stands in an address."""
    return f"/grants?like={saving.shape.latest}&days={days}"


def _rules(load: Load) -> list[RuleLoadView]:
    return [
        RuleLoadView(
            policy=row.rule, tally=TallyView.of(row.tally), never_denied=row.never_denied, alone=row.alone.decisions
        )
        for row in load.rules
    ]


def _people(load: Load, roster: Roster) -> list[PersonLoadView]:
    return [
        PersonLoadView(
            person=row.person,
            name=party(Kind.PERSON, row.person, roster),
            votes=row.votes,
            approvals=row.approvals,
            denials=row.denials,
            share=row.share,
            outside=row.outside,
        )
        for row in load.people
    ]


def _shape(saving: Saving, days: int, roster: Roster, origin: str) -> ShapeView:
    shape, pattern = saving.shape, saving.shape.pattern
    bounds = None if pattern is None else pattern.limits()
    agent = roster.agents.get(shape.actor)
    return ShapeView(
        operation=shape.operation,
        resource=shape.resource,
        actor=shape.actor,
        name=party(Kind.PERSON, shape.actor, roster) if agent is None else agent.name,
        arguments=list(shape.arguments),
        tally=TallyView.of(shape.tally),
        proposal=None if bounds is None else [BoundView(argument=name, bound=kind) for name, kind in bounds],
        obstacle=shape.obstacle,
        would_have_let_through=saving.saved,
        grant_url=None if pattern is None else origin + grant_path(saving, days),
    )
