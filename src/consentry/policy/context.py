"""What Cedar is told besides the entities: the context of one request, cut to what the policies read. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeGuard

import orjson

from consentry.actions import Action, Json, JsonObject, Kind
from consentry.policy.model import Roster
from consentry.policy.reads import Path

DECLARED = frozenset(
    {"ticket", "run", "pipeline", "purpose", "environment", "repository", "branch", "commit"},
)
"""The names under which a caller's context reaches policies, where the value is a text."""

NOT_SCANNED: JsonObject = {"total": 0, "types": [], "scanned": False}


class Unfit(Exception):
    """The facts cannot be put to Cedar. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a group of policies reads of a record: the attributes by name, or all of it where `names` is `None`."""

    names: Mapping[str, Wanted] | None

    @classmethod
    def of(cls, paths: Iterable[Path]) -> Wanted:
        by_name: dict[str, list[Path]] = {}
        for path in paths:
            if not path:
                return EVERYTHING
            by_name.setdefault(path[0], []).append(path[1:])
        return cls({name: cls.of(rest) for name, rest in sorted(by_name.items())})

    def quick_key(self, action: Action, facts: JsonObject) -> bytes | None:
        """Everything of an action that can change the answer, beside its actor, operation and resource, which are the
        subject's; `None` where the time can too, or the facts have no exact form. Cheaper than building the context.

        The key begins with a byte that no context begins with, so that the two can be kept together.
        """
        if self.names is None or "time" in self.names:
            return None
        try:
            return b"\x00" + orjson.dumps((len(action.operands), dict(action.context), dict(facts)), default=_plain)
        except TypeError:
            return None

    def cut(self, value: Json) -> Json:
        """`value` without what is not wanted of it."""
        if self.names is None or not _is_record(value):
            return value
        return {name: part.cut(value[name]) for name, part in self.names.items() if name in value}


EVERYTHING = Wanted(None)


def build(action: Action, facts: JsonObject, chain: Json, wanted: Wanted, now_ms: int) -> bytes:
    """The JSON context for `action`, with no more in it than `wanted`. Raises `Unfit`."""
    context = {
        part: (wanted.names[part] if wanted.names else EVERYTHING).cut(_PARTS[part](action, facts, chain, now_ms))
        for part in (_PARTS if wanted.names is None else wanted.names)
    }
    try:
        return orjson.dumps(context, default=_plain)
    except TypeError:
        raise Unfit from None


def chain(action: Action, roster: Roster) -> Json:
    """The schema's `Chain`: everybody in the action's chain, as entity references."""
    links = list(action.actor.links())
    machines = [link for link in links if link.kind is not Kind.PERSON]
    records = [roster.agents.get(link.id) for link in machines]
    return {
        "persons": [uid("Person", roster.canonical(link.id)) for link in links if link.kind is Kind.PERSON],
        "agents": [uid("Agent", link.id) for link in machines if link.kind is Kind.AGENT],
        "services": [uid("Service", link.id) for link in machines if link.kind is Kind.SERVICE],
        "names": [record.name for record in records if record is not None],
        "owned": all(record is not None and roster.is_active(record.owner) for record in records),
    }


def uid(kind: str, name: str) -> dict[str, Json]:
    """A reference to an entity, in Cedar's explicit JSON form."""
    return {"__entity": {"type": kind, "id": name}}


def shape(value: object) -> Hashable:
    """What a schema can see of `value`: two values of one shape both fit a schema, or neither does.

    Raises `Unfit` for what could be read as something else than it is (Cedar's `__entity` and the like).
    """
    kind = type(value)
    if kind is str or kind is int or kind is bool:
        return kind
    if _is_record(value):
        for key in value:
            if not isinstance(key, str) or key.startswith("__"):
                raise Unfit
        return ("record", *value, *[shape(item) for item in value.values()])
    if isinstance(value, list | tuple):
        return frozenset(map(shape, value))
    raise Unfit


def _is_record(value: object) -> TypeGuard[Mapping[str, Json]]:
    """Asks the commonest first: an abstract class answers slowly."""
    return type(value) is dict or isinstance(value, Mapping)


def _facts(facts: JsonObject) -> JsonObject:
    return facts if "findings" in facts else {**facts, "findings": NOT_SCANNED}


def _origin(action: Action) -> str:
    link = action.actor
    while link.acting_for is not None:
        link = link.acting_for
    return link.kind.value


def _declared(context: JsonObject) -> dict[str, Json]:
    texts: dict[str, Json] = {name: context[name] for name in DECLARED & context.keys() if type(context[name]) is str}
    return {"keys": sorted(context), **texts}


def _time(now_ms: int) -> dict[str, Json]:
    seconds = now_ms // 1000
    now = time.gmtime(seconds)
    return {"hour": now.tm_hour, "weekday": now.tm_wday + 1, "epoch": seconds}


def _plain(value: object) -> dict[str, Json]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError


_PARTS: Mapping[str, Callable[[Action, JsonObject, Json, int], Json]] = {
    "facts": lambda action, facts, chain, now_ms: _facts(facts),
    "chain": lambda action, facts, chain, now_ms: chain,
    "origin": lambda action, facts, chain, now_ms: _origin(action),
    "has_person": lambda action, facts, chain, now_ms: bool(action.actor.persons()),
    "operands": lambda action, facts, chain, now_ms: len(action.operands),
    "declared": lambda action, facts, chain, now_ms: _declared(action.context),
    "time": lambda action, facts, chain, now_ms: _time(now_ms),
}
