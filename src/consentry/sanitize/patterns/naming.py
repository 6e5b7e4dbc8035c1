"""Where words stand that name types, found by one vector pass over the surroundings of many matches."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from consentry.sanitize.context import AFTER, BEFORE, near
from consentry.sanitize.patterns.matching import END, SHIFT
from consentry.sanitize.patterns.pattern import SEPARATOR

if TYPE_CHECKING:
    from consentry.sanitize.patterns.vector import VectorPass

Span = tuple[int, int]

_FEW = 32
"""Around so few matches it is quicker to read the words one by one."""
_FEW_WORDS = 12
"""So few words are quicker looked for, before the words around a match are told apart."""
_BREAK = b"\n"
_WIDENS = "\u0130"
"""The one letter that `str.lower` makes a letter and a mark, which ends a word."""


class Surroundings(Protocol):
    """What stands around the matches in one text."""

    def may_name(self, words: frozenset[str]) -> bool:
        """Whether one of the words may be near any of the matches."""
        ...

    def any_of(self, words: frozenset[str], start: int, end: int) -> bool:
        """Whether one of the words is in `near(text, start, end)`."""
        ...


class Naming:
    """All words that name some type. Safe to share between threads."""

    def __init__(self, words: Collection[str], directory: Path | None = None) -> None:
        self._words = sorted(word for word in words if word.isalnum())
        self._edged = [word for word in self._words if not (word[0] + word[-1]).isascii()]
        """No pattern sees that a letter beyond ASCII is one, so that it may begin right after such a word."""
        self._directory = directory
        self._quick = find_spec("hyperscan") is not None

    @cached_property
    def _vector(self) -> VectorPass:
        from consentry.sanitize.patterns.vector import VectorPass

        expressions = [f"[^A-Za-z0-9]{word}[^A-Za-z0-9]" for word in self._words] + self._edged
        return VectorPass([((one,), True, False) for one in expressions], self._directory)

    def around(self, text: str, data: bytes, spans: Sequence[Span]) -> Surroundings:
        """The surroundings of these places of a text; `data` is its bytes, one for each character."""
        if len(spans) < _FEW or not self._quick or not self._words or _WIDENS in text:
            return _Read(text)
        return _Found(text, *self._places(text, data, spans))

    def within(self, text: str, data: bytes) -> Surroundings:
        """The surroundings of every place of a text."""
        return self.around(text, data, [(0, len(text))] * _FEW)

    def _places(self, text: str, data: bytes, spans: Sequence[Span]) -> tuple[list[int], list[str], set[str]]:
        """Where the words begin, in order, which they are, and those that may be there as a part of others."""
        places = np.array(spans, np.intp)
        firsts, pasts = np.sort(places[:, 0]) - BEFORE, np.sort(places[:, 1]) + AFTER
        gaps = np.flatnonzero(firsts[1:] > pasts[:-1])
        begins = np.maximum(firsts[np.concatenate(([0], gaps + 1))], 0)
        ends = np.minimum(pasts[np.concatenate((gaps, [-1]))], len(data))
        before = np.maximum(begins - 1, 0)
        pieces = [data[first : past + 1] for first, past in zip(before.tolist(), ends.tolist(), strict=True)]
        joined = _BREAK + (_BREAK * 2).join(pieces) + _BREAK
        found = np.array(self._vector.places(joined), np.intp)
        kinds, at = found >> SHIFT, found & END
        lengths = np.array([len(piece) + 2 for piece in pieces], np.intp)
        starts = np.cumsum(lengths) - lengths
        at += (before - starts - 1)[np.searchsorted(starts, at - 1, side="right") - 1]
        words, where, which, parts = self._words, [], [], set()
        for index in np.argsort(at, kind="stable").tolist():
            kind = kinds[index]
            if kind >= len(words):
                parts.add(self._edged[kind - len(words)])
                continue
            word = words[kind]
            past = int(at[index]) - 1
            begin = past - len(word)
            if _stands(text, word, begin, past):
                where.append(begin)
                which.append(word)
        return where, which, parts


def _stands(text: str, word: str, first: int, past: int) -> bool:
    """Whether the word stands there by itself: the bytes do not tell letters beyond ASCII from signs."""
    if (first and text[first - 1].isalnum()) or text[past : past + 1].isalnum():
        return False
    return word.isascii() or text[first:past].lower() == word


class _Read:
    """Reads the words around each match."""

    def __init__(self, text: str) -> None:
        self._text = text

    def may_name(self, words: frozenset[str]) -> bool:
        return True

    def any_of(self, words: frozenset[str], start: int, end: int) -> bool:
        if len(words) <= _FEW_WORDS:
            passage = self._text[max(0, start - BEFORE) : end + AFTER].lower()
            for word in words:
                if word in passage:
                    break
            else:
                return False
        return not words.isdisjoint(near(self._text, start, end))


class _Found:
    """Knows where words begin that name types, which they are, and which may be there at all."""

    def __init__(self, text: str, firsts: list[int], words: list[str], parts: set[str]) -> None:
        self._text, self._firsts, self._words = text, firsts, words
        self._kinds = parts.union(words)
        self._joined = SEPARATOR in text

    def may_name(self, words: frozenset[str]) -> bool:
        return not words.isdisjoint(self._kinds)

    def any_of(self, words: frozenset[str], start: int, end: int) -> bool:
        text = self._text
        if _torn(text, start) or _torn(text, end):
            return not words.isdisjoint(near(text, start, end))
        firsts, which = self._firsts, self._words
        least = start - BEFORE + 1 if start > BEFORE else 0
        most = end + AFTER
        if self._joined:
            least = max(least, text.rfind(SEPARATOR, least - 1 if least else 0, start) + 1)
            cut = text.find(SEPARATOR, end, most)
            most = cut if cut >= 0 else most
        for at in range(bisect_left(firsts, least), len(firsts)):
            first = firsts[at]
            if first >= most:
                return False
            word = which[at]
            if word in words and (first >= end or first + len(word) <= start) and first + len(word) <= most:
                return True
        return False


def _torn(text: str, place: int) -> bool:
    """Whether a word stands on both sides of a place, so that a part of it counts as a word."""
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()
