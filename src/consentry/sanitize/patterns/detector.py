"""The pattern detector: matches, validators, context, in that order and each only on what the one before left."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from pathlib import Path

from consentry.sanitize import context as surroundings
from consentry.sanitize.detector import Context
from consentry.sanitize.finding import Finding
from consentry.sanitize.normalize import View, decoded, views
from consentry.sanitize.patterns import store, tables
from consentry.sanitize.patterns.lexicon import WORDS
from consentry.sanitize.patterns.matching import Matcher, Matches, matcher
from consentry.sanitize.patterns.pattern import SEPARATOR, Pattern

Words = frozenset[str]

_made = tuple.__new__
"""Makes a finding without the call that names its fields."""

_MANY = 64
_CROWDED = 128
"""So many matches, and so few characters for each that words could lift: then it pays to list the words of the text, so
that most places need not be looked around."""

_SEARCHED = 16_000
"""So many characters are searched for a word in the time that a look around one match takes."""
_AFTER_ALONE = f" \t\r\n{SEPARATOR}"
"""Nothing at all is in it, too."""
_MOST = 0.99
_LIKELY = 0.5
_NONE: Words = frozenset()


@dataclass(frozen=True, slots=True)
class _Keys:
    """The words of the key that each text of several joined stands under; `starts` is where the texts begin."""

    words: Sequence[Words]
    starts: Sequence[int]

    def at(self, view: View, start: int, end: int) -> Words:
        """The words of the key over a span of a view."""
        if len(self.words) == 1:
            return self.words[0]
        return self.words[bisect_right(self.starts, view.span(start, end)[0]) - 1]


class PatternDetector:
    """Everything that the pattern tables describe, found in one pass."""

    name = "patterns"

    def __init__(self, patterns: Sequence[Pattern], matcher: Matcher, floor: float = 0.0) -> None:
        self._matcher = matcher
        self._floor = floor
        self._words = {pattern.id: WORDS.get(pattern.type, _NONE) | pattern.words for pattern in patterns}
        self._unlikely = {row.id for row in patterns if max(row.score, row.confirmed) < _LIKELY}
        """What words around it make likely, or a check where nothing at all stands around it."""
        self._reasons = {pattern.id: _reasons(pattern) for pattern in patterns}
        self.types = frozenset(pattern.type for pattern in patterns)

    @classmethod
    def default(
        cls, types: Collection[str] | None = None, floor: float = 0.0, directory: Path | None = None
    ) -> PatternDetector:
        """All tables, or the rows that report one of `types`, without what could never reach the score `floor`.

        Compiled patterns are kept in `directory`, the user's cache unless another is given.
        """
        return _default(None if types is None else frozenset(types), floor, directory or store.directory())

    def scan(self, text: str, context: Context) -> list[Finding]:
        """Every finding from the floor up, overlapping ones included."""
        keys = _Keys((_key_words(context),), ())
        return self._found(text, keys)

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[list[Finding]]:
        """The same for many short texts, joined into one so that there is one pass."""
        starts = [0, *accumulate(len(text) + 1 for text in texts)]

        words = [_key_words(context) for context in contexts]
        keys = _Keys(words[:1] if len(set(words)) == 1 else words, starts)
        found: list[list[Finding]] = [[] for _ in texts]
        for one in self._found(SEPARATOR.join(texts), keys):
            cell = bisect_right(starts, one.start) - 1
            found[cell].append(_moved(one, starts[cell]))
        return found

    def _found(self, text: str, keys: _Keys) -> list[Finding]:
        found: list[Finding] = []
        looks = 0
        for view in views(text):
            looks += 1
            wrapped: list[tuple[int, int]] = []
            self._look(view, keys, found, wrapped)
            inner = decoded(view, wrapped) if wrapped else None
            if inner is not None:
                self._look(inner, keys, found, [])
        return found if looks == 1 else list(dict.fromkeys(found))

    def _look(self, view: View, keys: _Keys, found: list[Finding], wrapped: list[tuple[int, int]]) -> None:
        text = view.text
        mine: list[Finding] = []
        matches = self._matcher.matches(text, view.data)
        if _crowded(matches, len(text)):
            view = replace(view, words=surroundings.vocabulary(text))
        for pattern, hits in matches:
            if pattern is tables.BASE64:
                wrapped += [match.span() for match in hits]
                continue
            if pattern.after:
                hits = [
                    hit for hit in hits if surroundings.word_before(text, hit.start(pattern.group)) in pattern.after
                ]
            if pattern.lift:
                self._weigh(pattern, hits, view, keys, mine)
            else:
                self._check(pattern, hits, mine)
        found += mine if view.is_original else view.led_back(mine)

    def _check(self, pattern: Pattern, hits: Sequence[re.Match[str]], found: list[Finding]) -> None:
        """Adds those matches of a pattern that no word makes likelier: its check alone decides."""
        bare, checked, *_ = self._reasons[pattern.id]
        kind, score, sure, check, group = pattern.type, pattern.score, pattern.confirmed, pattern.check, pattern.group
        name, subtype, least, add = self.name, pattern.subtype, self._floor, found.append
        checked_group = group if pattern.checked is None else pattern.checked
        for match in hits:
            start, end = match.span(group)
            verdict = None if check is None else check(match[checked_group])
            if verdict:
                if sure >= least:
                    add(_made(Finding, (kind, start, end, sure, name, checked, subtype)))
            elif verdict is None and score >= least:
                add(_made(Finding, (kind, start, end, score, name, bare, subtype)))

    def _weigh(
        self, pattern: Pattern, hits: Sequence[re.Match[str]], view: View, keys: _Keys, found: list[Finding]
    ) -> None:
        """Adds those matches of a pattern that its check and the words around them leave."""
        kind, group, name, subtype, add = pattern.type, pattern.group, self.name, pattern.subtype, found.append
        text = view.text
        if max(pattern.score, pattern.confirmed) < self._floor and not self._may_be_lifted(
            pattern, len(hits), view, keys
        ):
            hits = _before_blanks(text, hits, group) if pattern.check else []
        for match in hits:
            start, end = match.span(group)
            judged = self._judge(pattern, view, start, end, keys)
            if judged is not None:
                score, reason = judged
                add(_made(Finding, (kind, start, end, score, name, reason, subtype)))

    def _judge(self, pattern: Pattern, view: View, start: int, end: int, keys: _Keys) -> tuple[float, str] | None:
        """The score of a match and why, or None where it cannot be one or does not reach the floor."""
        text = view.text
        score, kind = pattern.score, 0
        if pattern.check is not None:
            verdict = pattern.check(text[start:end])
            if verdict is False:
                return None
            if verdict:
                score, kind = pattern.confirmed, 1
        if self._supported(view, start, end, pattern, keys):
            score, kind = min(_MOST, score + pattern.lift), kind + 2
        elif kind == 1 and score < _LIKELY and pattern.id in self._unlikely and _by_itself(view, start, end, keys):
            score = _LIKELY + score / 4
        return (score, self._reasons[pattern.id][kind]) if score >= self._floor else None

    def _may_be_lifted(self, pattern: Pattern, hits: int, view: View, keys: _Keys) -> bool:
        """Whether a word that lifts the pattern stands anywhere in the text or over it, as far as it pays to look."""
        words = self._words[pattern.id]
        if view.words is not None:
            possible = not words.isdisjoint(view.words)
        elif hits * _SEARCHED > len(words) * len(view.text):
            text = view.text.lower()
            possible = any(word in text for word in words)
        else:
            return True
        return possible or not all(map(words.isdisjoint, keys.words))

    def _supported(self, view: View, start: int, end: int, pattern: Pattern, keys: _Keys) -> bool:
        words = self._words[pattern.id]
        possible = view.words is None or not words.isdisjoint(view.words)
        if possible and not words.isdisjoint(surroundings.near(view.text, start, end)):
            return True
        return not words.isdisjoint(keys.at(view, start, end))


def _crowded(matches: Sequence[Matches], length: int) -> bool:
    if sum(len(hits) for _, hits in matches) <= _MANY:
        return False
    return _CROWDED * sum(len(hits) for pattern, hits in matches if pattern.lift > 0) > length


def _before_blanks(text: str, hits: Sequence[re.Match[str]], group: int | str) -> list[re.Match[str]]:
    """The matches that may stand by themselves, as far as the one character after each tells."""
    return [match for match in hits if text[(end := match.end(group)) : end + 1] in _AFTER_ALONE]


def _by_itself(view: View, start: int, end: int, keys: _Keys) -> bool:
    return surroundings.alone(view.text, start, end) and not keys.at(view, start, end)


def _reasons(pattern: Pattern) -> tuple[str, str, str, str]:
    """By what spoke for the match: nothing else, its check, the words around it, both."""
    near = "named by the words around it"
    return (
        pattern.reason,
        f"{pattern.reason}, checked",
        f"{pattern.reason}, {near}",
        f"{pattern.reason}, checked, {near}",
    )


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
def _default(types: frozenset[str] | None, floor: float, directory: Path) -> PatternDetector:
    wanted = [row for row in tables.ALL if types is None or row.type in types]
    rows = [row for row in wanted if max(row.score, row.confirmed) + row.lift >= floor]
    return PatternDetector(rows, matcher([*rows, tables.BASE64], directory), floor)
