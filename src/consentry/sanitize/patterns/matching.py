"""Finds every match of every pattern: by the vector pass where Hyperscan is installed, by `re` alone where it is not.

Both report, pattern by pattern, exactly what `re.finditer` reports (see `pattern.py` for why), so the wheel is a matter
of speed only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
import numpy.typing as npt

from consentry.sanitize.patterns.pattern import Lead, Pattern

if TYPE_CHECKING:
    from consentry.sanitize.patterns.vector import Trigger, VectorPass

_AROUND = 32
_MANY = 6
_TOGETHER = 24
_ZERO, _TEN = np.uint8(48), np.uint8(10)
_MERGE = 256
_SHORT = 600
"""So few characters are looked through as a whole."""
_FEW = 8
"""Triggers that compile faster than a file is worth."""
SHIFT: Final = 40
"""Where a trigger's index stands in the number that also holds the end of its match: above any text's length."""
END: Final = (1 << SHIFT) - 1
Places = npt.NDArray[np.intp]
_NOWHERE: Places = np.zeros(0, np.intp)
Windows = tuple[Places, Places]
"""Where stretches of a text begin, and where they end."""
Matches = tuple[Pattern, "list[re.Match[str]]"]
Needless = Callable[[Pattern, int], bool]
"""Whether so many triggers of a pattern need not be looked at, for nothing would come of its matches."""


class Matcher(Protocol):
    """All matches in one text by their pattern, in reading order; patterns without any may be left out.

    `data` has one byte for each character of the text: itself, or `?` beyond ASCII, which keeps the offsets, and is as
    little a word character as what it stands for. Patterns for which `needless` is true of their number of triggers may
    be left out.
    """

    def matches(self, text: str, data: bytes, needless: Needless) -> list[Matches]: ...


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

    def matches(self, text: str, data: bytes, needless: Needless) -> list[Matches]:
        return [(pattern, list(regex.finditer(text))) for pattern, regex in self._patterns]


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

    def matches(self, text: str, data: bytes, needless: Needless) -> list[Matches]:
        found: list[Matches] = []
        if len(data) < _SHORT:
            self._match_short(text, data, needless, found)
            return found
        self._anywhere.add_matches(text, self._anywhere.places(data), needless, found)
        digits = np.flatnonzero((np.frombuffer(data, np.uint8) - _ZERO) < _TEN)
        for one, least in ((self._sparse, 1), (self._dense, _MANY)):
            windows = _windows(digits, least, len(data))
            if windows is not None:
                one.add_matches(text, one.places_within(data, windows), needless, found)
        return found

    def _match_short(self, text: str, data: bytes, needless: Needless, found: list[Matches]) -> None:
        """The same without windows, which cost more than they save."""
        self._anywhere.add_few(text, data, needless, found)
        digits = len(data) - len(data.translate(None, b"0123456789"))
        if digits:
            self._sparse.add_few(text, data, needless, found)
        if digits >= _MANY:
            self._dense.add_few(text, data, needless, found)


def _windows(digits: Places, least: int, length: int) -> Windows | None:
    """The stretches of text around groups of at least so many digits, merged where they touch."""
    if len(digits) < least:
        return None
    first, last = digits[: len(digits) - least + 1], digits[least - 1 :]
    if least > 1:
        close = last - first < _TOGETHER
        first, last = first[close], last[close]
        if not len(first):
            return None
    gaps = np.flatnonzero(first[1:] - last[:-1] > 2 * _AROUND)
    starts = np.maximum(first[np.concatenate(([0], gaps + 1))] - _AROUND, 0)
    ends = np.minimum(last[np.concatenate((gaps, [-1]))] + 1 + _AROUND, length)
    return starts, ends


class _Pass:
    """Patterns, grouped by trigger, and the vector pass that finds the triggers."""

    def __init__(self, patterns: Sequence[Pattern], directory: Path | None) -> None:
        grouped: defaultdict[Trigger, list[Pattern]] = defaultdict(list)
        for pattern in patterns:
            trigger = pattern.regex if pattern.trigger is None else pattern.trigger
            any_of = (trigger,) if isinstance(trigger, str) else trigger
            grouped[any_of, pattern.ignore_case, pattern.begins_with_trigger].append(pattern)
        self._groups = [_Group(mine) for mine in grouped.values()]
        self._vector = _vector(list(grouped), directory) if grouped else None

    def places(self, data: bytes) -> Places:
        """Where triggers are found, as `VectorPass.places` says it, in order."""
        if self._vector is None:
            return _NOWHERE
        places = np.array(self._vector.places(data), np.intp)
        places.sort()
        return places

    def places_within(self, data: bytes, windows: Windows) -> Places:
        """The same, looking only at some stretches of the text."""
        begins, ends = windows
        if 4 * int((ends - begins).sum()) > 3 * len(data):
            return self.places(data)
        pieces = [data[first:last] for first, last in zip(begins.tolist(), ends.tolist(), strict=True)]
        found = self.places(b"\n".join(pieces))
        if len(found):
            lengths = ends - begins + 1
            starts = np.cumsum(lengths) - lengths
            found += (begins - starts)[np.searchsorted(starts, found & END, side="right") - 1]
        return found

    def add_few(self, text: str, data: bytes, needless: Needless, found: list[Matches]) -> None:
        """Appends what matches in a short text."""
        places = [] if self._vector is None else self._vector.places(data)
        if len(places) > 1:
            places.sort()
        by_group: defaultdict[int, list[int]] = defaultdict(list)
        for place in places:
            by_group[place >> SHIFT].append(place & END)
        for group, offsets in by_group.items():
            self._groups[group].add_matches(text, offsets, needless, found)

    def add_matches(self, text: str, places: Places, needless: Needless, found: list[Matches]) -> None:
        """Appends what matches around these places of triggers."""
        if not len(places):
            return
        index, offsets = places >> SHIFT, (places & END).tolist()
        cuts = [0, *(np.flatnonzero(index[1:] != index[:-1]) + 1).tolist(), len(offsets)]
        for group, first, last in zip(index[cuts[:-1]].tolist(), cuts[:-1], cuts[1:], strict=True):
            self._groups[group].add_matches(text, offsets[first:last], needless, found)


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

    def add_matches(self, text: str, places: list[int], needless: Needless, found: list[Matches]) -> None:
        """Appends every match that starts where the trigger says, or in the runs around its ends."""
        runs: list[tuple[int, int]] = []
        for pattern, regex, begin in self._patterns:
            if needless(pattern, len(places)):
                continue
            if pattern.begins_with_trigger:
                mine = _from(regex, text, _past(places) if pattern.after_another else places)
            elif pattern.lead is not None:
                mine = _led(regex, pattern.lead, text, places, pattern.back)
            elif pattern.back:
                mine = _exact(pattern, regex, text, places)
            else:
                runs = runs or self._runs(places)
                if begin is None:
                    mine = _near(regex, text, runs, self._ahead)
                else:
                    mine = _begun(regex, begin, text, runs, self._ahead)
            if mine:
                found.append((pattern, mine))

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


def _near(regex: re.Pattern[str], text: str, runs: list[tuple[int, int]], ahead: int) -> list[re.Match[str]]:
    """Every match that starts in one of the runs."""
    found: list[re.Match[str]] = []
    finditer, add = regex.finditer, found.append
    done = 0
    for first, last in runs:
        for match in finditer(text, first if first > done else done, last + ahead):
            start, end = match.span()
            if start > last:
                break
            done = end
            add(match)
            if done >= last:  # a trigger that ends with the match is in it
                break
    return found


def _from(regex: re.Pattern[str], text: str, starts: list[int]) -> list[re.Match[str]]:
    """As `_near`, trying only where triggers start."""
    found: list[re.Match[str]] = []
    try_at, add = regex.match, found.append
    done = tried = -1
    for start in starts:
        if start != tried and start >= done:
            tried = start
            match = try_at(text, start)
            if match is not None:
                done = match.end()
                add(match)
    return found


def _past(starts: list[int]) -> list[int]:
    """The places after the characters at which triggers start, and the beginning of the text where one does there."""
    return [0] * (starts[0] == 0) + [start + 1 for start in starts]


def _exact(pattern: Pattern, regex: re.Pattern[str], text: str, ends: list[int]) -> list[re.Match[str]]:
    """As `_near`, trying only the one place that a trigger tells."""
    found: list[re.Match[str]] = []
    try_at, add = regex.match, found.append
    done, back = 0, pattern.back
    for end in ends:
        match = try_at(text, end - back) if end - back >= done else None
        if match is not None:
            done = match.end()
            add(match)
    return found


def _led(regex: re.Pattern[str], lead: Lead, text: str, ends: list[int], back: int) -> list[re.Match[str]]:
    """As `_exact`, trying first where something begins that leads to the place."""
    found: list[re.Match[str]] = []
    try_at, add = regex.match, found.append
    done = 0
    for end in ends:
        place = end - back
        if place < done:
            continue
        start = lead(text, place)
        match = try_at(text, start) if start >= done else None
        if match is None and start != place:
            match = try_at(text, place)
        if match is not None:
            done = match.end()
            add(match)
    return found


def _begun(
    regex: re.Pattern[str], begin: re.Pattern[str], text: str, runs: list[tuple[int, int]], ahead: int
) -> list[re.Match[str]]:
    """As `_near`, trying only the places where the pattern can begin."""
    found: list[re.Match[str]] = []
    places, try_at, add = begin.finditer, regex.match, found.append
    done = 0
    for first, last in runs:
        until = last + ahead
        for place in places(text, first, last + 1):
            start = place.start()
            if start >= done:
                match = try_at(text, start, until)
                if match is not None:
                    done = match.end()
                    add(match)
    return found
