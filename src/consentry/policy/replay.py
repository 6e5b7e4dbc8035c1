"""What a candidate policy set would have said of past actions. Pure: history comes in, changes come out.

Past facts are replayed as they were recorded; people and resources are those of today, since the question is what the
candidate would do now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from consentry.actions import Action, Json, JsonObject, parse_object
from consentry.errors import InvalidInput
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Facts, Reason, Resource, Roster, Verdict

MAX_LINE = 4 << 20


@dataclass(frozen=True, slots=True)
class Past:
    """One judged action: its canonical bytes, the facts read then, what was answered, and when (ms since 1970)."""

    id: str
    canonical: bytes
    facts: JsonObject
    verdict: Verdict
    at_ms: int
    resource: Resource


class History(Protocol):
    """Where past actions come from: an exported file, or the store behind a server."""

    def since(self, at_ms: int) -> Iterable[Past]:
        """The actions judged at `at_ms` or later, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """One past action that the candidate would judge otherwise."""

    id: str
    operation: str
    resource: str
    at_ms: int
    before: Verdict
    after: Verdict
    reasons: tuple[Reason, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "id": self.id,
            "operation": self.operation,
            "resource": self.resource,
            "at_ms": self.at_ms,
            "before": self.before.value,
            "after": self.after.value,
            "reasons": [{"policy": one.policy, "text": one.text} for one in self.reasons],
        }


@dataclass(frozen=True, slots=True)
class Replay:
    """How many past actions were judged again, and those whose verdict would change."""

    judged: int
    changes: tuple[Change, ...]
    policy_version: str

    def to_json(self) -> dict[str, Json]:
        return {
            "judged": self.judged,
            "policy_version": self.policy_version,
            "changes": [one.to_json() for one in self.changes],
        }


def replay(history: Iterable[Past], candidate: PolicySet, roster: Roster) -> Replay:
    """Judge every past action by `candidate`. Raises `InvalidInput` for bytes that are not an action."""
    judged, changes = 0, []
    for past in history:
        judged += 1
        action = Action.from_canonical(past.canonical)
        answer = candidate.judge(action, Facts(past.facts), resource=past.resource, roster=roster, now_ms=past.at_ms)
        if answer.verdict is not past.verdict:
            changes.append(
                Change(
                    past.id,
                    action.operation,
                    action.resource,
                    past.at_ms,
                    past.verdict,
                    answer.verdict,
                    answer.reasons,
                )
            )
    return Replay(judged, tuple(changes), candidate.version)


def read_replay(value: Mapping[str, Json]) -> Replay:
    """Read back what `Replay.to_json` wrote, as the API answers it."""
    document = _Document.model_validate(value)
    changes = [
        Change(
            one.id,
            one.operation,
            one.resource,
            one.at_ms,
            one.before,
            one.after,
            tuple(Reason(reason.policy, reason.text) for reason in one.reasons),
        )
        for one in document.changes
    ]
    return Replay(document.judged, tuple(changes), document.policy_version)


class _Reason(BaseModel):
    policy: str
    text: str


class _Changed(BaseModel):
    id: str
    operation: str
    resource: str
    at_ms: int
    before: Verdict
    after: Verdict
    reasons: list[_Reason]


class _Document(BaseModel):
    judged: int
    policy_version: str
    changes: list[_Changed]


class _ResourceLine(BaseModel):
    model_config = ConfigDict(extra="ignore")

    name: str
    kind: str = "unknown"
    labels: dict[str, str] = {}


class _Line(BaseModel):
    model_config = ConfigDict(extra="ignore")  # an export may carry more than replay needs

    id: str
    canonical: str
    facts: dict[str, JsonValue] = {}
    verdict: Verdict
    at_ms: int
    resource: _ResourceLine | None = None


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A history exported as one JSON object a line: `id, canonical, facts, verdict, at_ms, resource?`."""

    path: Path

    def since(self, at_ms: int) -> Iterator[Past]:
        """Raises `InvalidInput` naming the line that is wrong."""
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    past = _past(parse_object(line, what=f"line {number}", limit=MAX_LINE), number)
                    if past.at_ms >= at_ms:
                        yield past


def _past(value: Mapping[str, Json], number: int) -> Past:
    try:
        line = _Line.model_validate(value)
    except ValidationError as error:
        where = ".".join(map(str, error.errors(include_url=False, include_input=False)[0]["loc"]))
        raise InvalidInput(f"`line {number}` of the history has no usable `{where}`: export it again") from None
    canonical = line.canonical.encode("utf-8")
    given = line.resource or _ResourceLine(name=Action.from_canonical(canonical).resource)
    resource = Resource(given.name, given.kind, given.labels)
    return Past(line.id, canonical, line.facts, line.verdict, line.at_ms, resource)


def render(result: Replay) -> str:
    """The changes for a person, the loosened ones first: those deserve a second look."""
    rank = list(Verdict)
    changes = sorted(result.changes, key=lambda one: rank.index(one.after) - rank.index(one.before))
    lines = [f"{one.before.value:>6} → {one.after.value:<6} {one.operation} on {one.resource!a}" for one in changes]
    lines.append(f"{result.judged} past actions judged again, {len(changes)} would be judged otherwise")
    return "\n".join(lines)
