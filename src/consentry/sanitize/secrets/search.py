"""Where triggers end in a text: Hyperscan where it is installed, `re` where it is not."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import hyperscan


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
    """All triggers in one pass of Hyperscan. A database is immutable; each scan uses a scratch of its own thread."""

    def __init__(self, triggers: Sequence[Trigger]) -> None:
        import hyperscan

        self._database: hyperscan.Database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        expressions = [trigger.expression.encode() for trigger in triggers]
        self._database.compile(expressions=expressions, ids=list(range(len(expressions))), flags=[0] * len(expressions))

    def ends(self, text: str) -> list[tuple[int, int]]:
        # One byte per character keeps offsets; what is not ASCII cannot be part of a trigger.
        found: list[tuple[int, int]] = []
        self._database.scan(
            text.encode("ascii", "replace"),
            match_event_handler=lambda index, _start, end, _flags, _context: found.append((index, end)),
        )
        return found


def best(triggers: Sequence[Trigger]) -> Search:
    """The vector search where Hyperscan is installed, the plain one elsewhere."""
    try:
        return VectorSearch(triggers)
    except ImportError:
        return PlainSearch(triggers)
