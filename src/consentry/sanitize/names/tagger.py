"""The detector of names, places and organisations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt

from consentry.sanitize.detector import Context
from consentry.sanitize.finding import Finding
from consentry.sanitize.names import decode, document, fields, larger, model, tokens

NAME: Final = "names"
TYPES: Final = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP", "TITLE", "STREET_ADDRESS"})
BIAS: Final = 1.0
UNSURE: Final = 0.8
"""Belief below which a larger model, where there is one, is asked."""
_SEPARATOR: Final = "\n\n\n"

_NOTHING: Final = np.zeros(0, np.uint64)
_made: Final = tuple.__new__

Piece = tuple[int, tokens.Tokens, npt.NDArray[np.intp]]


class NameDetector:
    """Tags with the model, then lets the document speak: titles, and the same name again. Stateless between calls."""

    name = NAME
    types = TYPES

    def __init__(self, weights: model.Model, bias: float = BIAS, second: larger.Larger | None = None) -> None:
        self._model = weights
        self._bias = bias
        self._words = document.Vocabulary(weights)
        self._second = second

    def scan(self, text: str, context: Context) -> list[Finding]:
        """Every name, place and organisation in the text."""
        pieces = (
            (offset, piece, np.zeros(len(piece), np.intp))
            for offset, codes in _pieces(tokens.codes_of(text))
            for piece in [tokens.tokenize_codes(codes, self._model.tables)]
        )
        found = [one for offset, piece, named in self._named(pieces) for one in _findings(offset, piece, named)]
        if self._second is not None:
            found = larger.settle(text, found, self._second, UNSURE)
        return fields.by_key(text, context, found, NAME)

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[list[Finding]]:
        """The findings of each text, as `scan` reports them, computed side by side."""
        out: list[list[Finding]] = [[] for _ in texts]
        for group in _groups(texts):
            if len(group) == 1 or self._second is not None:
                for index in group:
                    out[index] = self.scan(texts[index], contexts[index])
                continue
            for index, found in zip(group, self._side_by_side([texts[index] for index in group]), strict=True):
                out[index] = fields.by_key(texts[index], contexts[index], found, NAME)
        return out

    def _side_by_side(self, texts: Sequence[str]) -> list[list[Finding]]:
        starts = np.concatenate([[0], np.cumsum([len(text) + len(_SEPARATOR) for text in texts])])
        piece = tokens.tokenize_codes(tokens.codes_of(_SEPARATOR.join(texts)), self._model.tables)
        owner = (np.searchsorted(starts, piece.start, side="right") - 1).astype(np.intp)
        out: list[list[Finding]] = [[] for _ in texts]
        for _, _, named in self._named([(0, piece, owner)]):
            texts_of = owner[[one.first for one in named]].tolist() if named else []
            shifts = starts.tolist()
            for index, one in zip(texts_of, _findings(0, piece, named), strict=True):
                out[index].append(one._replace(start=one.start - shifts[index], end=one.end - shifts[index]))
        return out

    def _named(self, pieces: Iterable[Piece]) -> Iterator[tuple[int, tokens.Tokens, list[document.Named]]]:
        """What the model reads, what follows a title, and all of these again; each owner is a document of its own."""
        tagged = []
        known: dict[int, document.Known] = {}
        for offset, piece, owner in pieces:
            read = [
                _made(document.Named, (*span, "reads as a name in its context"))
                for span in decode.spans(piece, owner, self._model, self._bias)
            ]
            named = document.mended(piece, owner, read, self._words)
            document.learn(known, piece, owner, named, self._words)
            tagged.append((offset, replace(piece, prefix=_NOTHING), owner, named))
        for offset, piece, owner, named in tagged:
            agreed = document.agreed(piece, owner, known, named)
            covered = document.covered(piece, agreed)
            yield offset, piece, [*agreed, *document.again(piece, owner, known, covered, self._words)]


def _findings(offset: int, piece: tokens.Tokens, named: Sequence[document.Named]) -> list[Finding]:
    if not named:
        return []
    starts = (piece.start[[one.first for one in named]] + offset).tolist()
    ends = (piece.end[[one.last for one in named]] + offset).tolist()
    scores = np.maximum([one.score for one in named], 0.5).round(3).tolist()
    return [
        _made(Finding, (one.label, start, end, score, NAME, one.reason, None))
        for one, start, end, score in zip(named, starts, ends, scores, strict=True)
    ]


def _groups(texts: Sequence[str]) -> Iterator[list[int]]:
    """Indices of texts that fit in one piece together; a longer text stands alone."""
    group: list[int] = []
    size = 0
    for index, text in enumerate(texts):
        length = len(text) + len(_SEPARATOR)
        if group and size + length > tokens.LONGEST:
            yield group
            group, size = [], 0
        group.append(index)
        size += length
    if group:
        yield group


def _pieces(codes: tokens.Codes) -> Iterator[tuple[int, tokens.Codes]]:
    """The text in pieces of at most `tokens.LONGEST`, cut after a line break or a blank where there is one."""
    start = 0
    while start < len(codes):
        stop = min(start + tokens.LONGEST, len(codes))
        if stop < len(codes):
            tail = codes[stop - 4096 : stop]
            breaks = np.flatnonzero(tail == 10)
            blanks = breaks if len(breaks) else np.flatnonzero(tail == 32)
            stop = stop - 4096 + int(blanks[-1]) + 1 if len(blanks) else stop
        yield start, codes[start:stop]
        start = stop
