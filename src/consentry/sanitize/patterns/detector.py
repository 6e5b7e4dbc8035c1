"""The pattern detector: matches, validators, context, in that order and each only on what the one before left."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
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
from consentry.sanitize.patterns.naming import Naming, Surroundings
from consentry.sanitize.patterns.pattern import SEPARATOR, Pattern

Words = frozenset[str]

_made = tuple.__new__
"""Makes a finding without the call that names its fields."""

_AFTER_ALONE = f" \t\r\n{SEPARATOR}"
"""Nothing at all is in it, too."""
_LONGEST_BEFORE = 24
_CROWDED = 256
_GAP = b" " * 8
_BLANKS = bytes.maketrans(b"\t\r\n", b"   ")
_MOST = 0.99
_LIKELY = 0.5
_NONE: Words = frozenset()


@dataclass(frozen=True, slots=True)
class _Keys:
    """The words of the key that each text of several joined stands under, and whether there are any at all; `starts` is
    where the texts begin."""

    words: Sequence[Words]
    starts: Sequence[int]
    any: bool

    def at(self, view: View, start: int, end: int) -> Words:
        """The words of the key over a span of a view."""
        if len(self.words) == 1:
            return self.words[0]
        return self.words[bisect_right(self.starts, view.span(start, end)[0]) - 1]


class PatternDetector:
    """Everything that the pattern tables describe, found in one pass."""

    name = "patterns"

    def __init__(
        self, patterns: Sequence[Pattern], matcher: Matcher, floor: float = 0.0, directory: Path | None = None
    ) -> None:
        self._matcher = matcher
        self._floor = floor
        self._words = {pattern.id: WORDS.get(pattern.type, _NONE) | pattern.words for pattern in patterns}
        self._naming = Naming(frozenset().union(*self._words.values()), directory)
        self._unlikely = {row.id for row in patterns if max(row.score, row.confirmed) < _LIKELY}
        """What words around it make likely, or a check where nothing at all stands around it."""
        self._weak = {row.id for row in patterns if max(row.score, row.confirmed) < floor}
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
        words = _key_words(context)
        keys = _Keys((words,), (), bool(words))
        return self._found(text, keys)

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[list[Finding]]:
        """The same for many short texts, joined into one so that there is one pass."""
        starts = [0, *accumulate(len(text) + 1 for text in texts)]

        words = [_key_words(context) for context in contexts]
        keys = _Keys(words[:1] if len(set(words)) == 1 else words, starts, any(words))
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
        liftable: list[Matches] = []
        crowd = _Crowd(self._naming, self._weak, self._words, view, keys)
        for pattern, hits in self._matcher.matches(text, view.data, crowd.comes_to_nothing):
            if pattern is tables.BASE64:
                wrapped += [match.span() for match in hits]
                continue
            standing = _after_words(pattern, hits, text) if pattern.after else hits
            if pattern.lift:
                liftable.append((pattern, standing))
            else:
                self._check(pattern, standing, mine)
        if liftable:
            spans = [match.span(pattern.group) for pattern, hits in liftable for match in hits]
            around = crowd.around or self._naming.around(text, view.data, spans)
            for pattern, hits in liftable:
                self._weigh(pattern, hits, view, _Near(around, keys), mine)
        found += mine if view.is_original else view.led_back(mine)

    def _check(self, pattern: Pattern, hits: Sequence[re.Match[str]], found: list[Finding]) -> None:
        """Adds those matches of a pattern that no word makes likelier: its check alone decides."""
        bare, checked, *_ = self._reasons[pattern.id]
        kind, score, sure, check, group = pattern.type, pattern.score, pattern.confirmed, pattern.check, pattern.group
        name, subtype, least = self.name, pattern.subtype, self._floor
        if check is None or check is bool:
            mine, reason = (score, bare) if check is None else (sure, checked)
            if mine >= least:
                found += [_made(Finding, (kind, *match.span(group), mine, name, reason, subtype)) for match in hits]
            return
        add = found.append
        checked_group = group if pattern.checked is None else pattern.checked
        for match in hits:
            verdict = check(match[checked_group])
            if verdict:
                if sure >= least:
                    add(_made(Finding, (kind, *match.span(group), sure, name, checked, subtype)))
            elif verdict is None and score >= least:
                add(_made(Finding, (kind, *match.span(group), score, name, bare, subtype)))

    def _weigh(
        self, pattern: Pattern, hits: Sequence[re.Match[str]], view: View, near: _Near, found: list[Finding]
    ) -> None:
        """Adds those matches of a pattern that its check and the words around them leave."""
        kind, group, name, subtype, add = pattern.type, pattern.group, self.name, pattern.subtype, found.append
        words, reasons, floor, check = self._words[pattern.id], self._reasons[pattern.id], self._floor, pattern.check
        weak, nameable = pattern.id in self._weak, near.may_name(words)
        text = view.text
        if weak and not nameable:
            hits = _before_blanks(text, hits, group) if check else []
        for match in hits:
            start, end = match.span(group)
            lifted = nameable and weak and near.names(view, start, end, words)
            if weak and not lifted and (check is None or text[end : end + 1] not in _AFTER_ALONE):
                continue
            verdict = None if check is None else check(text[start:end])
            if verdict is False:
                continue
            score, why = (pattern.confirmed, 1) if verdict else (pattern.score, 0)
            if lifted or (nameable and not weak and near.names(view, start, end, words)):
                score, why = min(_MOST, score + pattern.lift), why + 2
            elif why and score < _LIKELY and pattern.id in self._unlikely and near.nothing(view, start, end):
                score = _LIKELY + score / 4
            if score >= floor:
                add(_made(Finding, (kind, start, end, score, name, reasons[why], subtype)))


class _Crowd:
    """Tells, where a text is crowded with what could be something only under a word that names it, what need not be
    looked at, since no such word is there."""

    def __init__(
        self, naming: Naming, weak: Collection[str], words: Mapping[str, Words], view: View, keys: _Keys
    ) -> None:
        self._naming, self._weak, self._words, self._view, self._keys = naming, weak, words, view, keys
        self.around: Surroundings | None = None

    def comes_to_nothing(self, pattern: Pattern, triggers: int) -> bool:
        """Whether no match of a pattern with so many triggers can reach the score that is reported."""
        if triggers < _CROWDED or pattern.id not in self._weak or self._keys.any:
            return False
        view = self._view
        if self.around is None:
            self.around = self._naming.within(view.text, view.data)
            self._gaps = _has_gaps(view.data)
        return not (self._gaps or self.around.may_name(self._words[pattern.id]))


def _has_gaps(data: bytes) -> bool:
    """Whether something may stand by itself within a longer text: between texts that were joined, or much blank."""
    return SEPARATOR.encode() in data.rstrip(SEPARATOR.encode()) or _GAP in data.translate(_BLANKS)


@dataclass(frozen=True, slots=True)
class _Near:
    """What stands around the matches of one view, and over them."""

    around: Surroundings
    keys: _Keys

    def may_name(self, words: Words) -> bool:
        """Whether one of the words may be near any match, or in a key."""
        return self.keys.any or self.around.may_name(words)

    def names(self, view: View, start: int, end: int, words: Words) -> bool:
        """Whether one of the words is near, or in the key."""
        if self.around.any_of(words, start, end):
            return True
        return self.keys.any and not words.isdisjoint(self.keys.at(view, start, end))

    def nothing(self, view: View, start: int, end: int) -> bool:
        """Whether the text is nothing but this, and under no key."""
        return surroundings.alone(view.text, start, end) and not self.keys.at(view, start, end)


def _before_blanks(text: str, hits: Sequence[re.Match[str]], group: int | str) -> list[re.Match[str]]:
    """The matches that may stand by themselves, as far as the one character after each tells."""
    return [match for match in hits if text[(end := match.end(group)) : end + 1] in _AFTER_ALONE]


def _after_words(pattern: Pattern, hits: list[re.Match[str]], text: str) -> list[re.Match[str]]:
    """The matches right after one of the words that must stand before them."""
    words, group = pattern.after, pattern.group
    return [hit for hit in hits if _follows(words, text, hit.start(group))]


def _follows(words: Words, text: str, start: int) -> bool:
    """Whether one of the words stands right before the place. The plainest case comes first: it is by far quicker."""
    passage = text[start - _LONGEST_BEFORE if start > _LONGEST_BEFORE else 0 : start]
    if passage[-1:] == " " and passage[passage.rfind(" ", 0, -1) + 1 : -1].lower() in words:
        return True
    return surroundings.word_before(text, start) in words


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
    return PatternDetector(rows, matcher([*rows, tables.BASE64], directory), floor, directory)
