"""Where triggers end in a text: Hyperscan where it is installed, `re` where it is not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from consentry.sanitize.patterns.matching import END, SHIFT


@dataclass(frozen=True, slots=True)
class Trigger:
    """An expression in the common part of Hyperscan's and `re`'s syntax: ASCII, bounded, without lookaround."""

    expression: str


class Search(Protocol):
    """Reports pairs of (trigger index, end offset in characters), without order, perhaps more than once."""

    def ends(self, text: str) -> list[tuple[int, int]]: ...


class PlainSearch:
    """One `re` pass per trigger: slow, needs nothing, and the measure of what the other must find."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        self._all = [re.compile(_overlapping(trigger.expression), re.ASCII) for trigger in triggers]

    def ends(self, text: str) -> list[tuple[int, int]]:
        return [(index, found.end(1)) for index, one in enumerate(self._all) for found in one.finditer(text)]


def _overlapping(expression: str) -> str:
    """The expression in a lookahead, so that matches which overlap are all found."""
    flag = "(?i)" if expression.startswith("(?i)") else ""
    return f"{flag}(?=({expression.removeprefix('(?i)')}))"


class VectorSearch:
    """All triggers in one pass of Hyperscan, compiled once and kept in `directory` where one is given."""

    def __init__(self, triggers: Sequence[Trigger], directory: Path | None = None) -> None:
        from consentry.sanitize.patterns.vector import VectorPass

        self._pass = VectorPass([((trigger.expression,), False, False) for trigger in triggers], directory)

    def ends(self, text: str) -> list[tuple[int, int]]:
        # One byte per character keeps offsets; what is not ASCII cannot be part of a trigger.
        return [(both >> SHIFT, both & END) for both in self._pass.places(text.encode("ascii", "replace"))]


def best(triggers: Sequence[Trigger]) -> Search:
    """The vector search where Hyperscan is installed, the plain one elsewhere."""
    from consentry.sanitize.patterns import store

    try:
        return VectorSearch(triggers, store.directory())
    except ImportError:
        return PlainSearch(triggers)
