"""What is asked again and again, and which standing grant would have answered it. Pure.

Advice only: nothing here makes a grant, and none of it lowers what policy asks (threat D7). A grant made from it is
signed by a person, simulated before, and weighed like a vote at each use.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from consentry.actions import Json, canonical
from consentry.consent.bounds import Bound, leaves, name_of
from consentry.consent.load import Asked, End, Tally, tally
from consentry.consent.standing import StandingPattern

LEAST = 3
"""So many approvals of a shape before a grant is proposed."""

_PATH = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?[\w.@+=,~/-]+")
"""A path or an address without a query. Of texts in a language, such as SQL, the beginning says nothing of the rest."""

CHOICES = 8
"""At most so many values are listed in `one_of`, and each was asked for twice on average."""


class Obstacle(StrEnum):
    """Why there is no proposal for a shape."""

    FEW = "few"
    """It was approved too seldom."""
    DENIED = "denied"
    """Somebody said no to it."""
    MORE_THAN_ONE_VOTE = "more_than_one_vote"
    """Its rules ask for more than one signed-in person's word, which is what a standing grant stands for."""
    PINNED = "pinned"
    """What it pins by hash is not the same each time."""
    VARIES = "varies"
    """An argument differs each time, without a bound that it would stay within."""


class Key(NamedTuple):
    """What is the same in requests alike: `arguments` and `pinned` are names."""

    operation: str
    resource: str
    actor: str
    arguments: tuple[str, ...]
    pinned: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """Requests alike: one operation on one resource by one actor, with arguments and operands of the same names.

    `pattern` is the proposal, bounded by what was approved; else `obstacle` says why there is none.
    `latest` is an action of it, from which the same shape is found again.
    """

    operation: str
    resource: str
    actor: str
    arguments: tuple[str, ...]
    tally: Tally
    latest: str
    pattern: StandingPattern | None
    obstacle: Obstacle | None
    action_ids: frozenset[str]


def shapes(asked: Iterable[Asked], *, least: int = 2) -> tuple[Shape, ...]:
    """The shapes that were asked at least so often, most first. Requests come in any order."""
    found: dict[Key, list[Asked]] = {}
    for one in asked:
        found.setdefault(key(one), []).append(one)
    rows = [_shape(alike) for alike in found.values() if len(alike) >= least]
    return tuple(sorted(rows, key=lambda row: (-row.tally.asked, row.operation, row.resource, row.actor)))


def key(one: Asked) -> Key:
    """What makes requests alike."""
    action = one.action
    arguments = sorted(map(name_of, leaves(action.arguments)))
    pinned = sorted(operand.name for operand in action.operands)
    return Key(action.operation, action.resource, action.actor.id, tuple(arguments), tuple(pinned))


def _shape(alike: Sequence[Asked]) -> Shape:
    what = key(alike[0])
    proposed = propose(alike)
    return Shape(
        operation=what.operation,
        resource=what.resource,
        actor=what.actor,
        arguments=what.arguments,
        tally=tally(alike),
        latest=max(alike, key=lambda one: (one.opened_ms, one.id)).action_ids[0],
        pattern=proposed if isinstance(proposed, StandingPattern) else None,
        obstacle=proposed if isinstance(proposed, Obstacle) else None,
        action_ids=frozenset(one.action_ids[0] for one in alike),
    )


def propose(alike: Sequence[Asked]) -> StandingPattern | Obstacle:
    """The narrowest pattern around what people approved of one shape, or why there is none."""
    approved = [one.action for one in alike if one.end is End.APPROVED]
    if any(one.end is End.DENIED for one in alike):
        return Obstacle.DENIED
    if len(approved) < LEAST:
        return Obstacle.FEW
    if not all(one.one_vote for one in alike):
        return Obstacle.MORE_THAN_ONE_VOTE
    if len({action.operands for action in approved}) > 1:
        return Obstacle.PINNED
    arguments = _bounds([action.arguments for action in approved])
    context = _bounds([action.context for action in approved])
    what = key(alike[0])
    if arguments is None or context is None or any("*" in part for part in what[:3]):
        return Obstacle.VARIES
    return StandingPattern(what.actor, what.operation, what.resource, arguments, approved[0].operands, context)


def _bounds(values: Sequence[Mapping[str, Json]]) -> dict[str, Bound] | None:
    """The narrowest bounds of every value by its place; `None` where one has none."""
    rows = [leaves(one) for one in values]
    if any(row.keys() != rows[0].keys() for row in rows):
        return None
    found = {name_of(place): bound_of([row[place] for row in rows]) for place in rows[0]}
    bounds = {name: bound for name, bound in found.items() if bound is not None}
    return bounds if len(bounds) == len(found) else None


def bound_of(values: Sequence[Json]) -> Bound | None:
    """The narrowest bound that the values repeat or stay within; `None` where they only differ."""
    distinct = {canonical(value): value for value in values}
    if len(distinct) == 1:
        return Bound("equals", values[0])
    if len(distinct) <= CHOICES and len(values) >= 2 * len(distinct):
        return Bound("one_of", [distinct[spelled] for spelled in sorted(distinct)])
    for bound in (_at_most(values), _prefix(values)):
        if bound is not None and all(bound.admits(value) for value in values):
            return bound
    return None


def _at_most(values: Sequence[Json]) -> Bound | None:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    return Bound("at_most", max(numbers)) if len(numbers) == len(values) else None


def _prefix(values: Sequence[Json]) -> Bound | None:
    """The folder that all texts are in, where they are paths, and that is more than the root or a scheme."""
    texts = [value for value in values if isinstance(value, str) and _PATH.fullmatch(value)]
    if len(texts) != len(values):
        return None
    first, last = min(texts), max(texts)
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    folder = first[:same].rpartition("/")
    return Bound("prefix", folder[0] + "/") if folder[0].strip("/") and not folder[0].endswith(":/") else None
