"""What the arguments of an action may be, for whoever consents beforehand. Pure.

A name is that of an argument. One that begins with `/` is a JSON pointer (RFC 6901) to a value inside of objects, such
as `/arguments/limit`; lists are values. What no bound covers is not covered (threat B12).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from consentry.actions import Json, canonical
from consentry.errors import InvalidInput

MOST = 1000
DEEPEST = 64
_NO_ESCAPE = re.compile(r"~(?![01])")
Place: TypeAlias = tuple[str, ...]
"""The keys that lead to a value."""
_KINDS = ("equals", "one_of", "at_most", "prefix")


class InvalidPattern(InvalidInput):
    """The pattern of a standing grant cannot be read, or is not bounded."""

    code = "invalid_pattern"


@dataclass(frozen=True, slots=True)
class Bound:
    """What one argument may be: `equals` a value, `one_of` a list, a number `at_most`, or a text with a `prefix`."""

    kind: str
    value: Json

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise InvalidPattern(f"`{self.kind}` is no bound: use one of `{'`, `'.join(_KINDS)}`")
        if self.kind == "one_of" and not isinstance(self.value, list | tuple):
            raise InvalidPattern("`one_of` takes a list")
        if self.kind == "at_most" and not _is_number(self.value):
            raise InvalidPattern("`at_most` takes a finite number")
        if self.kind == "prefix" and (not isinstance(self.value, str) or not self.value):
            raise InvalidPattern("`prefix` takes a text that is not empty")

    def admits(self, value: Json) -> bool:
        """Exact comparison: of canonical JSON for values, so `1` and `"1"` and `true` differ."""
        if self.kind == "equals":
            return canonical(value) == canonical(self.value)
        if self.kind == "one_of":
            assert isinstance(self.value, list | tuple)
            return any(canonical(value) == canonical(one) for one in self.value)
        if self.kind == "at_most":
            return _is_number(value) and 0 <= value <= self.value  # type: ignore[operator]
        return isinstance(value, str) and value.startswith(str(self.value)) and ".." not in value

    def to_json(self) -> dict[str, Json]:
        return {self.kind: self.value}


def parse_bounds(given: Json, what: str) -> dict[str, Bound]:
    """Read bounds by their names. Raises `InvalidPattern`."""
    if not isinstance(given, Mapping):
        raise InvalidPattern(f"`{what}` must be an object")
    bounds: dict[str, Bound] = {}
    for name, bound in given.items():
        if not isinstance(bound, Mapping) or len(bound) != 1:
            raise InvalidPattern(f"each of `{what}` must be an object with exactly one bound")
        ((kind, limit),) = bound.items()
        bounds[name] = Bound(kind, limit)
    return bounds


def covers(bounds: Mapping[Place, Bound], values: Mapping[str, Json]) -> bool:
    """Whether every value is within a bound, and every bound has its value."""
    met: set[Place] = set()
    return _within(bounds, values, (), met) and len(met) == len(bounds)


def places(bounds: Mapping[str, Bound]) -> dict[Place, Bound]:
    """The bounds by their places. Raises `InvalidPattern` where two are about the same value, or there are too many."""
    if len(bounds) > MOST:
        raise InvalidPattern(f"a pattern takes up to {MOST} bounds")
    found = {place_of(name): bound for name, bound in bounds.items()}
    inside = {place[:end] for place in found for end in range(1, len(place))}
    if len(found) != len(bounds) or not inside.isdisjoint(found):
        raise InvalidPattern("two bounds are about the same value: leave one of them out")
    return found


def place_of(name: str) -> Place:
    """The place that a name stands for. Raises `InvalidPattern`."""
    if not name.startswith("/"):
        return (name,)
    parts = name[1:].split("/")
    if len(parts) > DEEPEST:
        raise InvalidPattern(f"a JSON pointer of a bound leads through up to {DEEPEST} objects")
    if _NO_ESCAPE.search(name):
        raise InvalidPattern("in a JSON pointer, `~` is written `~0`, and `/` in a name `~1`")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def name_of(place: Place) -> str:
    """The shortest name of a place."""
    if len(place) == 1 and not place[0].startswith("/"):
        return place[0]
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in place)


def leaves(values: Mapping[str, Json], above: Place = ()) -> dict[Place, Json]:
    """Every value that is no object with something in it, by its place."""
    found: dict[Place, Json] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= leaves(value, (*above, key))
        else:
            found[*above, key] = value
    return found


def _within(bounds: Mapping[Place, Bound], values: Mapping[str, Json], above: Place, met: set[Place]) -> bool:
    for key, value in values.items():
        place = (*above, key)
        if place in bounds:
            if not bounds[place].admits(value):
                return False
            met.add(place)
        elif not (isinstance(value, Mapping) and value and _within(bounds, value, place, met)):
            return False
    return True


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
