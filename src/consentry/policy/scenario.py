"""A situation written down by a person: who does what to which resource, under which facts.

Example cases, `policy explain FILE` and the docs share this form. People go by their e-mail and agents by their name.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from consentry.actions import Action, Actor, Kind, Operand
from consentry.errors import InvalidInput
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Agent, Facts, Judgement, Membership, Person, Resource, Roster

_NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)  # a Monday morning: cases do not depend on when they are run


class Strict(BaseModel):
    """A form in which an unknown field is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class People(Strict):
    """Who there is: `people` from e-mail to groups, `agents` (and services) from name to the owner's e-mail."""

    people: dict[str, list[str]] = {}
    agents: dict[str, str] = {}
    inactive: list[str] = []

    def roster(self) -> Roster:
        return Roster(
            version=1,
            persons=[Person(mail, mail, mail, active=mail not in self.inactive) for mail in self.people],
            memberships=[Membership(group, mail, 0) for mail, groups in self.people.items() for group in groups],
            agents=[Agent(name, name, owner, active=name not in self.inactive) for name, owner in self.agents.items()],
        )


class ResourceForm(Strict):
    """A resource as the settings declare it."""

    name: str
    kind: str = "unknown"
    labels: dict[str, str] = {}


class OperandForm(Strict):
    """Something that the action pins by hash."""

    name: str
    sha256: str


class Scenario(Strict):
    """One attempt. `principal` reads like `agent:exporter for service:airflow for person:ana@example.com`."""

    principal: str
    operation: str
    resource: str | ResourceForm
    arguments: dict[str, JsonValue] = {}
    operands: list[OperandForm] = []
    context: dict[str, JsonValue] = {}
    facts: dict[str, JsonValue] = {}
    at: Annotated[datetime, Field(description="when; a time without a zone is UTC")] = _NOW

    def action(self) -> Action:
        return Action(
            actor=parse_principal(self.principal),
            operation=self.operation,
            resource=self.where().name,
            arguments=self.arguments,
            operands=tuple(Operand(one.name, one.sha256) for one in self.operands),
            context=self.context,
        )

    def where(self) -> Resource:
        if isinstance(self.resource, str):
            return Resource(self.resource)
        return Resource(self.resource.name, self.resource.kind, self.resource.labels)

    def now_ms(self) -> int:
        at = self.at if self.at.tzinfo else self.at.replace(tzinfo=UTC)
        return int(at.timestamp() * 1000)

    def judge(self, policies: PolicySet, roster: Roster) -> Judgement:
        """What `policies` say of this attempt."""
        return policies.judge(
            self.action(), Facts(self.facts), resource=self.where(), roster=roster, now_ms=self.now_ms()
        )


class Question(Scenario, People):
    """A scenario with its people in one document: the input of `policy explain`."""


def parse_principal(text: str) -> Actor:
    """The chain of `agent:exporter for person:ana@example.com`. Raises `InvalidInput`."""
    actor: Actor | None = None
    for link in reversed(text.split(" for ")):
        kind, _, name = link.strip().partition(":")
        if kind not in set(Kind) or not name:
            raise InvalidInput(
                "`principal` must read like `person:EMAIL`, or `agent:NAME for service:NAME for person:EMAIL`"
            )
        actor = Actor(Kind(kind), name, actor)
    assert actor is not None  # a text splits into at least one part
    return actor


def read_question(document: Mapping[str, object], what: str) -> Question:
    """A `Question` from parsed JSON or TOML. Raises `InvalidInput` naming the first fields that are wrong."""
    try:
        return Question.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(f"`{what}`: {wrong(error)}") from None


def wrong(error: ValidationError) -> str:
    """Where a document does not have the form, and why, without its values."""
    return "; ".join(
        f"`{'.'.join(map(str, one['loc']))}` {one['msg'][0].lower()}{one['msg'][1:]}"
        for one in error.errors(include_url=False, include_input=False)[:5]
    )
