"""Finds every match of every pattern: by the vector pass where Hyperscan is installed, by `re` alone where it is not.

Both report, pattern by pattern, exactly what `re.finditer` reports (see `pattern.py` for why), so the wheel is a matter
of speed only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from consentry.sanitize.patterns.pattern import Pattern

if TYPE_CHECKING:
    from consentry.sanitize.patterns.vector import Trigger, VectorPass

_AROUND = 32
_MANY = 6
_TOGETHER = 24
_ZERO, _TEN = np.uint8(48), np.uint8(10)
_MERGE = 256
_FEW = 8
"""Triggers that compile faster than a file is worth."""
Places = npt.NDArray[np.intp]
Match = tuple[Pattern, "re.Match[str]"]


class Matcher(Protocol):
    """All matches in one text, pattern by pattern, each pattern's in reading order."""

    def matches(self, text: str) -> list[Match]: ...


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

    def matches(self, text: str) -> list[Match]:
        return [(pattern, match) for pattern, regex in self._patterns for match in regex.finditer(text)]


class VectorMatcher:
    """Triggers first, then the exact expressions in the runs of text around them.

    Most patterns hold a digit, many of them six and more, and most prose does not: those are looked for only in
    *windows* around digits, or around many digits, which passes of their own go over.
    """

    def __init__(self, patterns: Sequence[Pattern], directory: Path | None = None) -> None:
        self._anywhere = _Pass([pattern for pattern in patterns if pattern.digitless], directory)
        windowed = [pattern for pattern in patterns if not pattern.digitless]
        self._sparse = _Pass([pattern for pattern in windowed if not pattern.dense], directory)
        self._dense = _Pass([pattern for pattern in windowed if pattern.dense], directory)

    def matches(self, text: str) -> list[Match]:
        # One byte per character keeps the offsets; `?` is as little a word character as what it stands for.
        data = text.encode("ascii", "replace")
        found = self._anywhere.matches(text, self._anywhere.ends(data))
        digits = np.flatnonzero((np.frombuffer(data, np.uint8) - _ZERO) < _TEN)
        for one, least in ((self._sparse, 1), (self._dense, _MANY)):
            windows = _windows(digits, least, len(data))
            if windows:
                found += one.matches(text, one.ends_within(data, windows))
        return found


def _windows(digits: Places, least: int, length: int) -> list[tuple[int, int]]:
    """The stretches of text around groups of at least so many digits, merged where they touch."""
    if len(digits) < least:
        return []
    first, last = digits[: len(digits) - least + 1], digits[least - 1 :]
    if least > 1:
        close = last - first < _TOGETHER
        first, last = first[close], last[close]
        if not len(first):
            return []
    gaps = np.flatnonzero(first[1:] - last[:-1] > 2 * _AROUND)
    starts = np.maximum(first[np.concatenate(([0], gaps + 1))] - _AROUND, 0)
    ends = np.minimum(last[np.concatenate((gaps, [-1]))] + 1 + _AROUND, length)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


class _Pass:
    """Patterns, grouped by trigger, and the vector pass that finds the triggers."""

    def __init__(self, patterns: Sequence[Pattern], directory: Path | None) -> None:
        grouped: defaultdict[Trigger, list[Pattern]] = defaultdict(list)
        for pattern in patterns:
            trigger = pattern.regex if pattern.trigger is None else pattern.trigger
            any_of = (trigger,) if isinstance(trigger, str) else trigger
            grouped[any_of, pattern.ignore_case].append(pattern)
        self._groups = [_Group(mine) for mine in grouped.values()]
        self._vector = _vector(list(grouped), directory) if grouped else None

    def ends(self, data: bytes) -> dict[int, list[int]]:
        """Where triggers end, by the index of their group."""
        ends: defaultdict[int, list[int]] = defaultdict(list)
        if self._vector is not None:
            for index, end in self._vector.ends(data):
                ends[index].append(end)
        return ends

    def ends_within(self, data: bytes, windows: list[tuple[int, int]]) -> dict[int, list[int]]:
        """The same, looking only at some stretches of the text."""
        if 4 * sum(last - first for first, last in windows) > 3 * len(data):
            return self.ends(data)
        ends = self.ends(b"\n".join([data[first:last] for first, last in windows]))
        if ends:
            begins = np.array([first for first, _ in windows])
            lengths = np.array([last - first + 1 for first, last in windows])
            starts = np.cumsum(lengths) - lengths
            shifts = begins - starts
            for index, mine in ends.items():
                places = np.array(mine)
                ends[index] = (places + shifts[np.searchsorted(starts, places) - 1]).tolist()
        return ends

    def matches(self, text: str, ends: dict[int, list[int]]) -> list[Match]:
        found: list[Match] = []
        for index in sorted(ends):
            self._groups[index].add_matches(text, ends[index], found)
        return found


def _vector(triggers: list[Trigger], directory: Path | None) -> VectorPass:
    from consentry.sanitize.patterns.vector import VectorPass

    return VectorPass(triggers, directory if len(triggers) > _FEW else None)


class _Group:
    """The patterns that share one trigger."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self._rows = patterns
        self._reach = max(pattern.reach for pattern in patterns)
        self._ahead = max(pattern.ahead for pattern in patterns)

    @cached_property
    def _patterns(self) -> list[tuple[Pattern, re.Pattern[str], re.Pattern[str] | None]]:
        """Compiled when the trigger is first seen: most of them never are, and the first scan should not wait."""
        return [
            (row, compiled(row), None if row.begin is None else re.compile(row.begin, re.ASCII)) for row in self._rows
        ]

    def add_matches(self, text: str, ends: list[int], found: list[Match]) -> None:
        """Appends every match that starts in the runs around the trigger's ends."""
        runs = self._runs(ends)
        ahead = self._ahead
        for pattern, regex, begin in self._patterns:
            if pattern.back:
                _add_exact(pattern, regex, text, ends, found)
                continue
            if begin is not None:
                _add_begun(pattern, regex, begin, text, runs, ahead, found)
                continue
            finditer = regex.finditer
            done = 0
            for first, last in runs:
                for match in finditer(text, first if first > done else done, last + ahead):
                    start, done_here = match.span()
                    if start > last:
                        break
                    done = done_here
                    found.append((pattern, match))
                    if done > last:
                        break

    def _runs(self, ends: list[int]) -> list[tuple[int, int]]:
        """Where matches may start (both ends inclusive): near triggers, merged so that no place is tried twice."""
        reach = self._reach
        most = reach + min(self._ahead, _MERGE)
        runs = []
        first, last = max(0, ends[0] - reach), ends[0]
        for end in ends:
            if end - last > most:
                runs.append((first, last))
                first = end - reach
            last = end
        runs.append((first, last))
        return runs


def _add_exact(pattern: Pattern, regex: re.Pattern[str], text: str, ends: list[int], found: list[Match]) -> None:
    """As `_Group.add_matches`, trying only the one place that a trigger tells."""
    done, back = 0, pattern.back
    for end in ends:
        match = regex.match(text, end - back) if end - back >= done else None
        if match is not None:
            done = match.end()
            found.append((pattern, match))


def _add_begun(
    pattern: Pattern,
    regex: re.Pattern[str],
    begin: re.Pattern[str],
    text: str,
    runs: list[tuple[int, int]],
    ahead: int,
    found: list[Match],
) -> None:
    """As `_Group.add_matches`, trying only the places where the pattern can begin."""
    done = 0
    for first, last in runs:
        for place in begin.finditer(text, first, last + 1):
            start = place.start()
            match = regex.match(text, start, last + ahead) if start >= done else None
            if match is not None:
                done = match.end()
                found.append((pattern, match))
