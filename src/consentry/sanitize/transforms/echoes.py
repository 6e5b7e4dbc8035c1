"""Where values stand again in a text, as whole words, in time that grows with the text and not with their number."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

LEAST: Final = 5
"""The least length of a value that is looked for."""

_FEW: Final = 24
"""So many values are looked for one by one, which is quicker."""
_BASE: Final = np.uint64(0x9E3779B97F4A7C15)
_WORD: Final = re.compile(r"\w")


def occurrences(text: str, values: Collection[str]) -> Iterator[tuple[int, int]]:
    """Spans at which one of the values, each of at least `LEAST` characters, stands with no word character beside it.

    In reading order, none overlapping another, the longest value first where several begin at one place.
    """
    if len(values) <= _FEW:
        yield from _one_by_one(text, values)
        return
    known = frozenset(values)
    lengths: defaultdict[str, set[int]] = defaultdict(set)
    for value in known:
        lengths[value[:LEAST]].add(len(value))
    longest_first = {head: sorted(mine, reverse=True) for head, mine in lengths.items()}
    wanted = np.unique(_heads("".join(lengths))[::LEAST])
    heads = _heads(text)
    at = np.minimum(np.searchsorted(wanted, heads), len(wanted) - 1)
    done = 0
    for start in np.flatnonzero(wanted[at] == heads).tolist():
        if start < done or (start and _WORD.match(text, start - 1)):
            continue
        for length in longest_first.get(text[start : start + LEAST], ()):
            end = start + length
            if text[start:end] in known and not _WORD.match(text, end):
                yield start, end
                done = end
                break


def _one_by_one(text: str, values: Collection[str]) -> Iterator[tuple[int, int]]:
    repeated = [value for value in values if text.count(value) > 1]
    if not repeated:
        return
    words = "|".join(re.escape(value) for value in sorted(repeated, key=len, reverse=True))
    for found in re.finditer(rf"(?<!\w)(?:{words})(?!\w)", text):
        yield found.span()


def _heads(text: str) -> npt.NDArray[np.uint64]:
    """A hash of the `LEAST` characters from each place on."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32).astype(np.uint64)
    count = max(0, len(codes) - LEAST + 1)
    out = np.zeros(count, np.uint64)
    for step in range(LEAST):
        out *= _BASE
        out += codes[step : step + count]
    return out
