"""How reviews go, as rows. Pure: names and counts, never a value of what was asked."""

from __future__ import annotations

from dataclasses import dataclass

from consentry.consent.load import DAY_HOURS, PersonLoad, RuleLoad, Tally
from consentry.consent.load_advice import Obstacle
from consentry.policy.model import Roster
from consentry.server.load import Report, Saving
from consentry.server.pages.views.names import Party, party_of, person, reviewers
from consentry.server.views.load import grant_path

_WHY_NOT = {
    Obstacle.FEW: "Approved too seldom to say.",
    Obstacle.DENIED: "Somebody said no to it: it is worth asking.",
    Obstacle.MORE_THAN_ONE_VOTE: "Its rules ask for more than one signed-in person’s word.",
    Obstacle.PINNED: "What it pins by hash differs each time.",
    Obstacle.VARIES: "Its arguments differ each time, within no bound.",
}
_KINDS = {
    "equals": "always the same value",
    "one_of": "one of the values that came",
    "at_most": "at most the largest that came",
    "prefix": "in the folder that all were in",
    "sha256": "always the same bytes",
}


@dataclass(frozen=True, slots=True)
class Person:
    """One person's votes; `percent` of all."""

    party: Party
    load: PersonLoad
    percent: int


@dataclass(frozen=True, slots=True)
class Group:
    """One reviewer set by its name."""

    name: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class Hour:
    """Votes of one hour of the day; `step` from 0 to 10 is how tall it is drawn, `late` outside a working day."""

    hour: int
    votes: int
    step: int
    late: bool


@dataclass(frozen=True, slots=True)
class Again:
    """A shape that is asked again and again. `bounds` say how each argument would be bounded, not by which value."""

    operation: str
    resource: str
    actor: Party
    tally: Tally
    bounds: tuple[tuple[str, str], ...]
    saved: int
    link: str | None
    why_not: str | None


@dataclass(frozen=True, slots=True)
class LoadPage:
    """Everything on the page."""

    days: int
    tally: Tally
    rules: tuple[RuleLoad, ...]
    groups: tuple[Group, ...]
    people: tuple[Person, ...]
    hours: tuple[Hour, ...]
    outside: int
    again: tuple[Again, ...]
    cut: bool


def view(report: Report, roster: Roster) -> LoadPage:
    """Lay out a report."""
    load = report.load
    return LoadPage(
        days=report.days,
        tally=load.tally,
        rules=load.rules,
        groups=tuple(Group(reviewers(row.reviewers, roster), row.tally) for row in load.groups),
        people=tuple(Person(person(row.person, roster), row, round(100 * row.share)) for row in load.people),
        hours=_hours(load.hours),
        outside=sum(row.outside for row in load.people),
        again=tuple(_again(saving, report.days, roster) for saving in report.savings),
        cut=report.cut,
    )


def _hours(counts: tuple[int, ...]) -> tuple[Hour, ...]:
    most = max(counts) or 1
    return tuple(Hour(hour, n, -(-10 * n // most), hour not in DAY_HOURS) for hour, n in enumerate(counts))


def _again(saving: Saving, days: int, roster: Roster) -> Again:
    shape, pattern = saving.shape, saving.shape.pattern
    bounds = () if pattern is None else tuple((name, _KINDS[kind]) for name, kind in pattern.limits())
    return Again(
        operation=shape.operation,
        resource=shape.resource,
        actor=party_of(shape.actor, roster),
        tally=shape.tally,
        bounds=bounds,
        saved=saving.saved,
        link=None if pattern is None else grant_path(saving, days),
        why_not=None if shape.obstacle is None else _WHY_NOT[shape.obstacle],
    )
