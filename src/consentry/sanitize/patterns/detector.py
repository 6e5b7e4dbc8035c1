"""The pattern detector: matches, validators, context, in that order and each only on what the one before left."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

from consentry.sanitize import context as surroundings
from consentry.sanitize.detector import Context
from consentry.sanitize.finding import Finding
from consentry.sanitize.normalize import View, decoded, views
from consentry.sanitize.patterns import store, tables
from consentry.sanitize.patterns.lexicon import WORDS
from consentry.sanitize.patterns.matching import Matcher, matcher
from consentry.sanitize.patterns.pattern import SEPARATOR, Pattern

Words = frozenset[str]

_MOST = 0.99
_NONE: Words = frozenset()


class PatternDetector:
    """Everything that the pattern tables describe, found in one pass."""

    name = "patterns"

    def __init__(self, patterns: Sequence[Pattern], matcher: Matcher) -> None:
        self._matcher = matcher
        self._words = {pattern.id: WORDS.get(pattern.type, _NONE) | pattern.words for pattern in patterns}
        self.types = frozenset(pattern.type for pattern in patterns)

    @classmethod
    def default(cls, types: Collection[str] | None = None, directory: Path | None = None) -> PatternDetector:
        """All tables, or the rows that report one of `types`. Compiled patterns are kept in the user's cache."""
        return _default(None if types is None else frozenset(types), directory or store.directory())

    def scan(self, text: str, context: Context) -> list[Finding]:
        """Every finding above no threshold, overlapping ones included."""
        keys = _key_words(context)
        return list(self._found(text, lambda position: keys))

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[list[Finding]]:
        """The same for many short texts, joined into one so that there is one pass."""
        starts = [0, *accumulate(len(text) + 1 for text in texts)]

        def keys_at(position: int) -> Words:
            return _key_words(contexts[bisect_right(starts, position) - 1])

        found: list[list[Finding]] = [[] for _ in texts]
        for one in self._found(SEPARATOR.join(texts), keys_at):
            cell = bisect_right(starts, one.start) - 1
            found[cell].append(_moved(one, starts[cell]))
        return found

    def _found(self, text: str, keys_at: Callable[[int], Words]) -> Iterator[Finding]:
        for view in views(text):
            wrapped: list[tuple[int, int]] = []
            yield from self._in_view(view, keys_at, wrapped)
            inner = decoded(view, wrapped)
            if inner is not None:
                yield from self._in_view(inner, keys_at, [])

    def _in_view(
        self, view: View, keys_at: Callable[[int], Words], wrapped: list[tuple[int, int]]
    ) -> Iterator[Finding]:
        for pattern, match in self._matcher.matches(view.text):
            if pattern is tables.BASE64:
                wrapped.append(match.span())
                continue
            start, end = match.span(pattern.group)
            score, reason = pattern.score, pattern.reason
            if pattern.check is not None:
                verdict = pattern.check(match[pattern.group])
                if verdict is False:
                    continue
                if verdict:
                    score, reason = pattern.confirmed, f"{reason}, checked"
            origin = view.span(start, end)
            if score < _MOST or pattern.strict:
                words = self._words[pattern.id]
                if words and self._supported(view.text, start, end, words, keys_at(origin[0])):
                    score, reason = min(_MOST, score + pattern.lift), f"{reason}, named by the words around it"
                elif pattern.strict:
                    continue
            yield Finding(pattern.type, *origin, score, self.name, reason, pattern.subtype)

    def _supported(self, text: str, start: int, end: int, words: Words, keys: Words) -> bool:
        return not words.isdisjoint(keys) or not words.isdisjoint(surroundings.near(text, start, end))


def _key_words(context: Context) -> Words:
    return _NONE if context.key is None else surroundings.key_words(context.key)


def _moved(finding: Finding, by: int) -> Finding:
    return Finding(
        finding.type,
        finding.start - by,
        finding.end - by,
        finding.score,
        finding.detector,
        finding.reason,
        finding.subtype,
    )


@cache
def _default(types: frozenset[str] | None, directory: Path) -> PatternDetector:
    rows = [row for row in tables.ALL if types is None or row.type in types]
    return PatternDetector(rows, matcher([*rows, tables.BASE64], directory))
