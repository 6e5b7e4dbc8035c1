"""One detected piece of sensitive data, and how findings that overlap are brought down to one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from operator import attrgetter

from consentry.sanitize import entities


@dataclass(frozen=True, slots=True)
class Finding:
    """A span of the scanned text and why it is believed to be what `type` says.

    `start` and `end` are character offsets into the text as it was given (end exclusive), whatever normalisation the
    detector looked through. `score` lies in 0…1. `reason` never quotes the value.
    """

    type: str
    start: int
    end: int
    score: float
    detector: str
    reason: str
    subtype: str | None = None

    def __lt__(self, other: Finding) -> bool:
        return _reading_order(self) < _reading_order(other)


_PLACE = attrgetter("start", "end", "type", "score", "detector")


def _reading_order(finding: Finding) -> tuple[int, int, str, float, str]:
    return (finding.start, finding.end, finding.type, -finding.score, finding.detector)


def _strength(finding: Finding) -> tuple[float, int, float, int, str, str]:
    length = finding.end - finding.start
    return (-finding.score, -length, entities.rank(finding.type), finding.start, finding.type, finding.detector)


def resolve(findings: Iterable[Finding], text_len: int) -> list[Finding]:
    """The findings that stand, in reading order, none overlapping another.

    Deterministic: the higher score wins, then the longer span, then the type named first in `entities.PRIORITY`,
    then the one that starts first. A finding that overlaps a stronger one is dropped whole. Empty spans and spans
    outside `0…text_len` are a detector's fault and raise `ValueError`.
    """
    found = list(findings)
    for one in found:
        if not 0 <= one.start < one.end <= text_len:
            raise ValueError(f"the detector `{one.detector}` reported a span outside the text")
    if len(found) < 2:
        return found
    found.sort(key=_PLACE)
    kept: list[Finding] = []
    group = [found[0]]
    reach = found[0].end
    for one in islice(found, 1, None):
        if one.start >= reach:
            kept += group if len(group) == 1 else _strongest(group)
            group = []
        group.append(one)
        reach = max(reach, one.end)
    kept += group if len(group) == 1 else _strongest(group)
    return kept


def _strongest(group: list[Finding]) -> list[Finding]:
    """The findings that stand among some that hang together."""
    kept: list[Finding] = []
    starts: list[int] = []
    for one in sorted(group, key=_strength):
        at = bisect_left(starts, one.end)
        if at and kept[at - 1].end > one.start:
            continue
        starts.insert(at, one.start)
        kept.insert(at, one)
    return kept
