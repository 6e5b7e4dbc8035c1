"""Finds every match of every pattern: by the vector pass where Hyperscan is installed, by `re` alone where it is not.

Both report, pattern by pattern, exactly what `re.finditer` reports (see `pattern.py` for why), so the wheel is a matter
of speed only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from consentry.sanitize.patterns.pattern import Pattern

Match = tuple[Pattern, "re.Match[str]"]


class Matcher(Protocol):
    """All matches in one text, pattern by pattern, each pattern's in reading order."""

    def matches(self, text: str) -> Iterator[Match]: ...


def matcher(patterns: Sequence[Pattern], directory: Path | None) -> Matcher:
    """The fastest matcher that is installed. Compiled patterns are kept in `directory` where one is given."""
    return VectorMatcher(patterns, directory) if find_spec("hyperscan") else PlainMatcher(patterns)


def compiled(pattern: Pattern) -> re.Pattern[str]:
    """The exact expression of a pattern."""
    return re.compile(pattern.regex, re.ASCII | (re.IGNORECASE if pattern.ignore_case else 0))


class PlainMatcher:
    """One `re` after the other."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = [(pattern, compiled(pattern)) for pattern in patterns]

    def matches(self, text: str) -> Iterator[Match]:
        for pattern, regex in self._patterns:
            for match in regex.finditer(text):
                yield pattern, match


class VectorMatcher:
    """Triggers first, then the exact expressions in the runs of text around them."""

    def __init__(self, patterns: Sequence[Pattern], directory: Path | None = None) -> None:
        from consentry.sanitize.patterns.vector import VectorPass

        grouped: defaultdict[tuple[str, bool], list[Pattern]] = defaultdict(list)
        for pattern in patterns:
            trigger = pattern.regex if pattern.trigger is None else pattern.trigger
            grouped[trigger, pattern.ignore_case].append(pattern)
        self._groups = [_Group(mine) for mine in grouped.values()]
        self._pass = VectorPass(list(grouped), directory)

    def matches(self, text: str) -> Iterator[Match]:
        # One byte per character keeps the offsets; `?` is as little a word character as what it stands for.
        data = text.encode("ascii", "replace")
        ends: defaultdict[int, list[int]] = defaultdict(list)
        for index, end in self._pass.ends(data):
            ends[index].append(end)
        for index in sorted(ends):
            yield from self._groups[index].matches(text, ends[index])


class _Group:
    """The patterns that share one trigger."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._patterns = [(pattern, compiled(pattern)) for pattern in patterns]
        self._reach = max(pattern.reach for pattern in patterns)
        self._ahead = max(pattern.ahead for pattern in patterns)

    def matches(self, text: str, ends: list[int]) -> Iterator[Match]:
        runs = list(self._runs(ends))
        for pattern, regex in self._patterns:
            done = 0
            for first, last in runs:
                for match in regex.finditer(text, max(done, first), last + self._ahead):
                    if match.start() > last:
                        break
                    done = match.end()
                    yield pattern, match
                    if done > last:
                        break

    def _runs(self, ends: list[int]) -> Iterator[tuple[int, int]]:
        """Where matches may start (both ends inclusive): near triggers, merged so that no place is tried twice."""
        first, last = max(0, ends[0] - self._reach), ends[0]
        for end in ends:
            if end - self._reach > last + self._ahead:
                yield first, last
                first = end - self._reach
            last = end
        yield first, last
