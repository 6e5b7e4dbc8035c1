"""Which of many short values are worth a look of their own, by one pass over all of them joined.

Scanning cell by cell costs more in calls than in looking. Detectors do not look across the record separator, so a cell
in which the joined text has no finding has none by itself, with two exceptions that are left to the slow way: a column
whose name promises a secret, for there the cell as a whole is judged, and sealed documents, which excuse what stands
in them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Final

from consentry.sanitize.detector import Context
from consentry.sanitize.profiles import Scans

SEPARATOR: Final = "\x1e"
_BLOCK: Final = 1 << 20


def usable(context: Context) -> bool:
    """Whether the joined pass may stand for the single ones under this key."""
    from consentry.sanitize.secrets import keynames

    return context.key is None or keynames.kind_of(context.key) is None


def sealed(joined: str) -> bool:
    """Whether the joined text would excuse secrets in other cells."""
    from consentry.sanitize.secrets import companions

    return companions.is_sealed(joined)


def touched(texts: Sequence[str], engine: Scans, context: Context) -> list[int] | None:
    """The places of the texts in which something is found; None where each has to be looked at."""
    if not usable(context):
        return None
    out: set[int] = set()
    begin = 0
    while begin < len(texts):
        size, end = 0, begin
        while end < len(texts) and size < _BLOCK:
            size += len(texts[end]) + 1
            end += 1
        joined = SEPARATOR.join(texts[begin:end])
        if sealed(joined):
            return None
        found = engine.scan(joined, context)
        if found:
            starts = [0, *accumulate(len(text) + 1 for text in texts[begin:end])]
            for one in found:
                first = bisect_right(starts, one.start) - 1
                last = bisect_right(starts, one.end - 1) - 1
                out.update(range(begin + first, begin + min(last, end - begin - 1) + 1))
        begin = end
    return sorted(out)
