"""What the whole document says about a name: titles before it, and the same name elsewhere.

A name that is sure in one place is a name in every place: the whole of it, its surname alone, a given name that the
lists know, and all of them in capitals or with an `'s`. Works on rows of tokens, so a document of many names stays
linear.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np

from consentry.sanitize.names import features
from consentry.sanitize.names.decode import Mask, Rows
from consentry.sanitize.names.model import Model
from consentry.sanitize.names.tokens import (
    SHAPE_DIGIT,
    SHAPE_INITIAL,
    SHAPE_LOWER,
    SHAPE_MIXED,
    SHAPE_SINGLE,
    SHAPE_UPPER,
    Tokens,
    word_hash,
)

SURE: Final = 0.75
"""Belief from which a name of several words is looked for elsewhere."""
SURE_ALONE: Final = 0.93
"""The same for a name of one word."""
_TITLES: Final = "mr mrs ms miss mx dr prof professor judge justice sir dame lady madam herr frau mme sgt capt"
_PARTICLES: Final = "van von de del della der den di da du dos la le el al bin ibn ben ten ter zu af av"
_JARGON: Final = (
    "none true false null nil nan inf eof utf utc gmt http https json xml html sql api url uri ascii "
    "unicode todo fixme rfc iso pdf csv yaml toml cpu gpu ram ssl tls ssh dns tcp udp int str bool float "
    "dict enum"
)
"""Capitalised words of the trade that are no names where they stand alone."""
_LONGEST_NAME: Final = 8
_ENOUGH_WORDS: Final = 40
"""Lower-case words from which a document shows how it writes names."""
_REPEATED: Final = frozenset({"PERSON", "ORGANIZATION", "LOCATION"})
_NAME_SHAPES: Final = (SHAPE_INITIAL, SHAPE_UPPER, SHAPE_MIXED, SHAPE_SINGLE)
_NAMELIKE: Final = np.isin(np.arange(7), _NAME_SHAPES)
_SOLID: Final = np.isin(np.arange(7), (SHAPE_INITIAL, SHAPE_UPPER, SHAPE_MIXED))
_WEAK: Final = ("common", "country", "nationality", "title", "organization")
"""Lists whose words are no names when they stand alone."""

_made = tuple.__new__

Known = dict[int, dict[tuple[int, ...], tuple[str, float]]]
"""Names by the hash of their first word, then by the hashes of all their tokens: label and belief."""


class Named(NamedTuple):
    """A span of tokens, its label, the belief, and the reason in words."""

    first: int
    last: int
    label: str
    score: float
    reason: str


class Vocabulary:
    """Hashes of the words that the rules know, for the character tables of one model."""

    def __init__(self, model: Model) -> None:
        self.titles = np.array(sorted(word_hash(word, model.tables) for word in _TITLES.split()), np.uint64)
        self.particles = frozenset(word_hash(word, model.tables) for word in _PARTICLES.split())
        self.dot = word_hash(".", model.tables)
        self.hyphens = frozenset(word_hash(char, model.tables) for char in "-'’‐")
        self.closing = np.array(sorted(word_hash(char, model.tables) for char in "(_[={@\\"), np.uint64)
        self.opening = np.array(sorted(word_hash(char, model.tables) for char in "_.\\$@/#"), np.uint64)
        self.jargon = np.array(sorted(word_hash(word, model.tables) for word in _JARGON.split()), np.uint64)
        self.weak = np.unique(np.concatenate([model.lists[name] for name in _WEAK]))
        self.model = model


def mended(tokens: Tokens, owner: Rows, named: Sequence[Named], words: Vocabulary) -> list[Named]:
    """The tagger's names put right: parts of one name joined, names after a title whole, lower-case ones where nobody
    else is written so dropped, and words in program text too."""
    joined: list[Named] = []
    first = np.array([one.first for one in named], np.intp)
    alone, number = in_code(tokens, first, words).tolist(), _numbered(tokens, first).tolist()
    plain = [
        one
        for one, program, code in zip(named, alone, number, strict=True)
        if one.first < one.last or not (program or (code and one.label != "PERSON"))
    ]
    for one in _cased(tokens, owner, plain):
        before = joined[-1] if joined else None
        if before and _continues(tokens, owner, before, one):
            score = max(before.score, one.score)
            joined[-1] = Named(before.first, one.last, one.label, score, one.reason)
        else:
            joined.append(one)
    return _titled(tokens, owner, joined, words)


def in_code(tokens: Tokens, rows: Rows, words: Vocabulary) -> Mask:
    """Which of the tokens `rows` are glued to marks of program text, paths and addresses, so that a name of one such
    word is none."""
    key, gap = tokens.key, tokens.gap
    before, after = np.maximum(rows - 1, 0), np.minimum(rows + 1, len(tokens) - 1)
    mask = features.contains(words.jargon, key[rows])
    mask |= (after > rows) & (gap[after] == 0) & features.contains(words.closing, key[after])
    opened = (before < rows) & (gap[rows] == 0) & features.contains(words.opening, key[before])
    initial = tokens.shape[np.maximum(rows - 2, 0)] == SHAPE_SINGLE
    return np.asarray(mask | (opened & ~initial))


def _numbered(tokens: Tokens, rows: Rows) -> Mask:
    """Which of the tokens `rows` go on with a digit: parts of codes, keys and part numbers, and of handles."""
    after = np.minimum(rows + 1, len(tokens) - 1)
    return np.asarray((after > rows) & (tokens.gap[after] == 0) & (tokens.shape[after] == SHAPE_DIGIT))


def _continues(tokens: Tokens, owner: Rows, before: Named, one: Named) -> bool:
    if before.last + 1 != one.first or before.label != one.label or one.label not in _REPEATED:
        return False
    return bool(tokens.gap[one.first] == 1 and owner[one.first] == owner[before.last])


def _cased(tokens: Tokens, owner: Rows, named: Sequence[Named]) -> list[Named]:
    """Without names in lower case, in documents long enough to show that their names are written with capitals."""
    if not named:
        return []
    capital = _NAMELIKE[tokens.shape]
    seen = np.concatenate(([0], np.cumsum(capital)))
    first, past = np.array([one.first for one in named]), np.array([one.last + 1 for one in named])
    lower = [named[index] for index in np.flatnonzero(seen[past] == seen[first]).tolist()]
    if not lower:
        return list(named)
    count = int(owner[-1]) + 1
    written = np.bincount(owner[capital], minlength=count)
    small = np.bincount(owner[tokens.shape == SHAPE_LOWER], minlength=count)
    strict = (small >= _ENOUGH_WORDS) & (written * 30 >= small)
    drop = {id(one) for one in lower if strict[owner[one.first]]}
    return [one for one in named if id(one) not in drop]


def _titled(tokens: Tokens, owner: Rows, named: Sequence[Named], words: Vocabulary) -> list[Named]:
    """With the names that follow a title, whole: `Judge Ortiz`, `Ms S.`, `Dr. van der Berg`."""
    capital = np.flatnonzero(_NAMELIKE[tokens.shape])
    titles = capital[features.contains(words.titles, tokens.key[capital])].tolist()
    if not titles:
        return list(named)
    at = {row: index for index, one in enumerate(named) for row in range(one.first, one.last + 1)}
    out: list[Named | None] = list(named)
    added: list[Named] = []
    for row in titles:
        cells = _cells(tokens, owner, row)
        first = row + 1
        if len(cells) > 1 and cells[1][0] == words.dot and cells[1][2] == 0:
            first += 1
        last = row + _run_of_names(cells, first - row, words)
        if last < first or (first == row + 1 and row in at and named[at[row]].last >= last):
            continue
        touched = sorted({at[place] for place in range(row, last + 1) if place in at} - {at.get(row)})
        if any(named[index].label not in ("PERSON", "LOCATION") for index in touched):
            continue
        whole = at.get(row)
        if whole is not None and named[whole].label == "PERSON":
            first = named[whole].first
            touched = [whole, *touched]
        last = max([last, *(named[index].last for index in touched)])
        for index in touched:
            out[index] = None
        added.append(Named(first, last, "PERSON", 0.9, "follows a title"))
    kept = [one for one in out if one is not None]
    return sorted([*kept, *_apart(added)], key=lambda one: one.first) if added else kept


def _cells(tokens: Tokens, owner: Rows, row: int) -> list[tuple[int, int, int, int]]:
    """Key, shape, gap and owner of the tokens from `row` on that can belong to the name after a title there."""
    some = slice(row, row + _LONGEST_NAME + 3)
    return list(
        zip(
            tokens.key[some].tolist(),
            tokens.shape[some].tolist(),
            tokens.gap[some].tolist(),
            owner[some].tolist(),
            strict=True,
        )
    )


def _apart(named: Sequence[Named]) -> list[Named]:
    out: list[Named] = []
    for one in named:
        if not out or one.first > out[-1].last:
            out.append(one)
    return out


def _run_of_names(cells: Sequence[tuple[int, int, int, int]], first: int, words: Vocabulary) -> int:
    """The last row of the capitalised words, initials and particles from `first` on; `first - 1` without any.

    `cells` are key, shape, gap and owner of each token.
    """
    last, row = first - 1, first
    while row < len(cells) and row - first < _LONGEST_NAME:
        key, shape, gap, owner = cells[row]
        if gap > 1 or owner != cells[first - 1][3]:
            break
        dotted = key == words.dot and row == last + 1 and cells[last][1] == SHAPE_SINGLE and gap == 0
        if shape in _NAME_SHAPES or dotted:
            last = row
        elif not (key in words.particles or (key in words.hyphens and gap == 0 and row > first)):
            break
        row += 1
    return last


def learn(known: dict[int, Known], tokens: Tokens, owner: Rows, named: Sequence[Named], words: Vocabulary) -> None:
    """Adds to `known`, by document, what is to be looked for elsewhere because of these names."""
    sure = [
        one for one in named if one.score >= SURE and one.label in _REPEATED and one.last - one.first < _LONGEST_NAME
    ]
    if not sure:
        return
    sure.sort(key=lambda one: one.label != "PERSON" or one.first == one.last)  # whole persons have the first word
    firsts = np.array([one.first for one in sure])
    lengths = np.array([one.last for one in sure]) - firsts + 1
    past = np.cumsum(lengths)
    rows = np.arange(past[-1]) + np.repeat(firsts - past + lengths, lengths)
    solid, telling = np.flatnonzero(_solid(tokens, rows)), _telling(tokens, rows, words)
    if not len(solid):
        return
    begin, end = np.searchsorted(solid, past - lengths), np.searchsorted(solid, past)
    first, last = solid[np.minimum(begin, len(solid) - 1)], solid[end - 1]
    alone = (end - begin == 1) & telling[first] & (np.array([one.score for one in sure]) >= SURE_ALONE)
    worth = np.flatnonzero((end - begin > 1) | alone)
    spans = np.stack((past - lengths, past, owner[firsts], first, last))[:, worth].T.tolist()
    keys, says = tokens.key[rows].tolist(), telling.tolist()
    for at, (start, stop, belongs, one, other) in zip(worth.tolist(), spans, strict=True):
        mine, (_, _, label, score, _) = known.setdefault(belongs, {}), sure[at]
        _learn(mine, tuple(keys[start:stop]), label, score)
        if label == "PERSON" and one != other:
            for row in (other, one):
                if says[row]:
                    _learn(mine, (keys[row],), "PERSON", score)


def _learn(known: Known, keys: tuple[int, ...], label: str, score: float) -> None:
    known.setdefault(keys[0], {}).setdefault(keys, (label, score))


def covered(tokens: Tokens, named: Sequence[Named]) -> Mask:
    """The tokens that belong to one of the names."""
    steps = np.zeros(len(tokens) + 1, np.int32)
    if named:
        np.add.at(steps, [one.first for one in named], 1)
        np.subtract.at(steps, [one.last + 1 for one in named], 1)
    return np.cumsum(steps[:-1]) > 0


def _solid(tokens: Tokens, rows: Rows) -> Mask:
    """Capitalised words of two letters or more."""
    return np.asarray(_SOLID[tokens.shape[rows]] & (tokens.end[rows] - tokens.start[rows] >= 2))


def _telling(tokens: Tokens, rows: Rows, words: Vocabulary) -> Mask:
    """Words that say enough alone: long enough, no common word, title, country or nationality."""
    alone = ~features.contains(words.weak, tokens.key[rows])
    return np.asarray(alone & (tokens.end[rows] - tokens.start[rows] >= 3))


def agreed(tokens: Tokens, owner: Rows, known: dict[int, Known], named: Sequence[Named]) -> list[Named]:
    """With single words read as a place or an organisation made persons where they are part of a surer one."""
    if not known or not named:
        return list(named)
    firsts = [one.first for one in named]
    out: list[Named] = []
    for one, key, belongs in zip(named, tokens.key[firsts].tolist(), owner[firsts].tolist(), strict=True):
        if one.first == one.last and one.label in ("ORGANIZATION", "LOCATION"):
            label, score = known.get(belongs, {}).get(key, {}).get((key,), ("", 0.0))
            if label == "PERSON" and score > one.score:
                one = Named(one.first, one.last, label, round(score * 0.95, 3), "is a name found elsewhere in the text")
        out.append(one)
    return out


def again(tokens: Tokens, owner: Rows, known: dict[int, Known], covered: Mask, words: Vocabulary) -> Iterator[Named]:
    """Every uncovered place, capitalised, where a name known in the same document stands again."""
    if not known:
        return
    firsts = np.array(sorted(set().union(*known.values())), np.uint64)
    places = np.flatnonzero(~covered & _NAMELIKE[tokens.shape])
    places = places[features.contains(firsts, tokens.key[places])]
    if not len(places):
        return
    first_keys, owners, in_program = (
        tokens.key[places].tolist(),
        owner[places].tolist(),
        in_code(tokens, places, words).tolist(),
    )
    free = (~covered).tobytes()
    taken = -1
    for row, key, belongs, program in zip(places.tolist(), first_keys, owners, in_program, strict=True):
        names = known.get(belongs, {}).get(key, {}) if row > taken else {}
        for name in sorted(names, key=len, reverse=True) if len(names) > 1 else names:
            last = row + len(name) - 1
            if last > row and (
                last >= len(tokens)
                or owner[last] != belongs
                or 0 in free[row : last + 1]
                or tuple(tokens.key[row : last + 1].tolist()) != name
            ):
                continue
            if last == row and program:
                continue
            label, score = names[name]
            yield _made(Named, (row, last, label, round(score * 0.95, 3), "is a name found elsewhere in the text"))
            taken = last
            break
