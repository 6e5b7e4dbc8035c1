"""One detected piece of sensitive data, and how findings that overlap are brought down to one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from operator import itemgetter
from typing import Final, NamedTuple

from consentry.sanitize import entities

GUESSING: Final = "names"
"""The detector that believes by the look of words. Sure as it may be, it says nothing of the token around a word."""
FORMED: Final = 0.9
"""From this score on, what has a form of its own stands against a guess about a part of it."""
LIKELY: Final = 0.65
"""From this score on, what stands around a stronger finding is believed to be a part of something."""
_UNDIVIDED: Final = frozenset({entities.SECRET, entities.IBAN_CODE, entities.CREDIT_CARD, entities.CRYPTO})
"""Types of which a part is nothing by itself, whatever it looks like. A URL is none: it may be kept and hold a name."""


class Finding(NamedTuple):
    """A span of the scanned text and why it is believed to be what `type` says.

    `start` and `end` are character offsets into the text as it was given (end exclusive), whatever normalisation the
    detector looked through. `score` lies in 0…1. `reason` never quotes the value. A named tuple, for there are
    thousands in a megabyte and a frozen dataclass takes five times as long to make.
    """

    type: str
    start: int
    end: int
    score: float
    detector: str
    reason: str
    subtype: str | None = None

    def __lt__(self, other: object) -> bool:
        return isinstance(other, Finding) and _reading_order(self) < _reading_order(other)


_START = itemgetter(1)
_PLACE = itemgetter(1, 2, 0, 3, 4)


def _reading_order(finding: Finding) -> tuple[int, int, str, float, str]:
    return (finding.start, finding.end, finding.type, -finding.score, finding.detector)


def _strength(finding: Finding) -> tuple[float, int, float, int, str, str]:
    length = finding.end - finding.start
    return (-finding.score, -length, entities.rank(finding.type), finding.start, finding.type, finding.detector)


def resolve(findings: Iterable[Finding], text_len: int, text: str | None = None) -> list[Finding]:
    """The findings that stand, in reading order, none overlapping another.

    Deterministic: the higher score wins, then the longer span, then the type named first in `entities.PRIORITY`,
    then the one that starts first. Of a finding that reaches beyond stronger ones, what lies outside them stands as
    findings of their own, without what is no letter or digit of `text` at their ends, for nothing that was found may
    stay in clear. One that lies within a stronger one is dropped whole, as is one of less than `LIKELY` around one:
    a year in it says that it was none. Before that, a name gives
    way to a secret in its place, and to a secret or a form of at least `FORMED` that overlaps it and reaches beyond
    it: `anna` in an e-mail address is no reason to miss the address. So does whatever lies within a secret or a form
    that is one number or code as a whole: a phone number seen in an account number is none. Empty spans and spans
    outside `0…text_len` are a detector's fault and raise `ValueError`.
    """
    kept: list[Finding] = []
    group: list[Finding] = []
    reach = 0
    for one in sorted(findings, key=_START):
        start, end = one[1], one[2]
        if not 0 <= start < end <= text_len:
            raise ValueError(f"the detector `{one.detector}` reported a span outside the text")
        if start >= reach:
            if group:
                kept += _strongest(sorted(group, key=_PLACE), text)
                group = []
            kept.append(one)
            reach = end
        else:
            group = group or [kept.pop()]
            group.append(one)
            reach = max(reach, end)
    return kept + _strongest(sorted(group, key=_PLACE), text) if group else kept


def _strongest(group: list[Finding], text: str | None) -> list[Finding]:
    """The findings that stand among some that hang together."""
    kept: list[Finding] = []
    starts: list[int] = []
    whole = _without_torn(group)
    strong = sorted(_without_parts(whole), key=_strength)
    if len(whole) < len(group):
        standing = set(map(id, whole))
        strong += sorted((one for one in group if id(one) not in standing), key=_strength)
    for one in strong:
        at = bisect_left(starts, one.end)
        if not at or kept[at - 1].end <= one.start:
            starts.insert(at, one.start)
            kept.insert(at, one)
            continue
        for rest in _outside(one, kept, starts, text):
            at = bisect_left(starts, rest.start)
            starts.insert(at, rest.start)
            kept.insert(at, rest)
    return kept


def _outside(one: Finding, kept: list[Finding], starts: list[int], text: str | None) -> list[Finding]:
    """What of a finding lies beside those that stand, which begin at `starts`."""
    rests, start = [], one.start
    first = max(bisect_left(starts, one.start) - 1, 0)
    over = kept[first : bisect_left(starts, one.end)]
    if one.score < LIKELY and any(one.start <= other.start and other.end <= one.end for other in over):
        return []
    for other in (*over, None):
        end = one.end if other is None else min(other.start, one.end)
        from_, to = start, end
        if text is not None:
            while from_ < to and not text[from_].isalnum():
                from_ += 1
            while from_ < to and not text[to - 1].isalnum():
                to -= 1
        if from_ < to:
            rests.append(one._replace(start=from_, end=to))
        if other is not None:
            start = max(start, other.end)
    return rests


def _without_torn(group: list[Finding]) -> list[Finding]:
    """A group in reading order, without the names that would tear a form apart."""
    forms = [one for one in group if _has_form(one)]
    if not forms or len(forms) == len(group):
        return group
    starts = [one.start for one in forms]
    reaches = list(accumulate((one.end for one in forms), max))
    secrets = {(one.start, one.end) for one in forms if one.type == entities.SECRET}

    def gives_way(name: Finding) -> bool:
        if (name.start, name.end) in secrets:
            return True
        before, touching = bisect_left(starts, name.start), bisect_left(starts, name.end)
        return (before > 0 and reaches[before - 1] > name.start) or (touching > 0 and reaches[touching - 1] > name.end)

    return [one for one in group if one.detector != GUESSING or not gives_way(one)]


def _without_parts(group: list[Finding]) -> list[Finding]:
    """A group in reading order, without what lies within a secret or number and is shorter than it."""
    wholes = [one for one in group if one.type in _UNDIVIDED and _has_form(one)]
    if not wholes:
        return group
    starts = [one.start for one in wholes]
    reaches = list(accumulate((one.end for one in wholes), max))

    def lies_within(part: Finding) -> bool:
        until, before = bisect_right(starts, part.start), bisect_left(starts, part.start)
        if before and reaches[before - 1] >= part.end:
            return True
        return until > 0 and reaches[until - 1] > part.end

    return [one for one in group if not lies_within(one)]


def _has_form(one: Finding) -> bool:
    return one.detector != GUESSING and (one.score >= FORMED or one.type == entities.SECRET)
