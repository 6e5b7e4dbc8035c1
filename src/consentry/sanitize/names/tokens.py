"""Text to tokens without a Python object per token: arrays of offsets, folded hashes and shapes.

A token is a run of letters, a run of digits, or one other character; white space separates. Hashes are polynomial over
folded characters (lower case, without diacritics), so the hash of any part of any token is a subtraction away
(Karp and Rabin 1987), modulo 2^64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

U64 = npt.NDArray[np.uint64]
I32 = npt.NDArray[np.int32]
U8 = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint32]

OTHER: Final = 0
LOWER: Final = 1
UPPER: Final = 2
DIGIT: Final = 3
SPACE: Final = 4
BREAK: Final = 5

SHAPE_LOWER: Final = 0
SHAPE_INITIAL: Final = 1
SHAPE_UPPER: Final = 2
SHAPE_MIXED: Final = 3
SHAPE_DIGIT: Final = 4
SHAPE_OTHER: Final = 5
SHAPE_SINGLE: Final = 6
"""One capital letter: an initial, a pronoun or a roman numeral."""

BASE: Final = 0x9E3779B97F4A7C15 | 1
INVERSE: Final = pow(BASE, -1, 1 << 64)
LONGEST: Final = 1 << 16
"""Characters that are looked at in one piece."""


@dataclass(frozen=True, slots=True)
class Tables:
    """For each of the first 65,536 code points: its class and its folded form."""

    classes: U8
    folded: npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one piece of text, one row each.

    `start` and `end` are character offsets, `key` the hash of the folded token, `shape` one of the SHAPE constants,
    `gap` what stands before it (0 nothing, 1 white space, 2 a line break, 3 an empty line or the start).
    `prefix` holds the running hashes of the piece, from which parts of tokens are hashed.
    """

    start: I32
    end: I32
    key: U64
    shape: U8
    gap: U8
    prefix: U64

    def __len__(self) -> int:
        return len(self.start)


def part_hash(prefix: U64, start: I32, end: I32) -> U64:
    """Hash of the folded characters in `start…end`, the same wherever they stand."""
    return (prefix[end] - prefix[start]) * _powers()[1][start]


@cache
def _powers() -> tuple[U64, U64]:
    with np.errstate(over="ignore"):
        up = np.full(LONGEST + 1, BASE, np.uint64)
        down = np.full(LONGEST + 1, INVERSE, np.uint64)
        up[0] = down[0] = 1
        return np.multiply.accumulate(up), np.multiply.accumulate(down)


def word_hash(word: str, tables: Tables) -> int:
    """The hash that `tokenize` gives to `word` where it stands as one token."""
    return int(tokenize_codes(codes_of(word), tables).prefix[-1])


def codes_of(text: str) -> Codes:
    """Code points of the text, lone surrogates included; one byte each where all are ASCII."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def tokenize_codes(codes: Codes, tables: Tables) -> Tokens:
    """Tokens of at most `LONGEST` code points."""
    if len(codes) > LONGEST:
        raise ValueError(f"a piece of {len(codes)} characters is longer than {LONGEST}")
    if codes.dtype == np.uint8:
        classes, folded = tables.classes[codes], tables.folded[:256].astype(np.uint64)[codes]
    else:
        low = np.minimum(codes, 0xFFFF)
        classes, folded = tables.classes.take(low), tables.folded.take(low).astype(np.uint64)
        high = np.flatnonzero(codes > 0xFFFF)
        folded[high] = codes[high]
    folded += np.uint64(1)
    folded *= _powers()[0][: len(codes)]
    prefix = np.zeros(len(codes) + 1, np.uint64)
    np.cumsum(folded, out=prefix[1:])
    start, end = _bounds(classes)
    key = part_hash(prefix, start, end)
    return Tokens(start, end, key, _shapes(classes, start, end), _gaps(classes, start, end), prefix)


_KIND: Final = np.array([0, 1, 1, 2, 3, 3], np.uint8)


def _bounds(classes: U8) -> tuple[I32, I32]:
    kind = _KIND[classes]
    first = np.ones(len(kind), bool)
    np.not_equal(kind[1:], kind[:-1], out=first[1:])
    first |= kind == 0
    edges = np.flatnonzero(first).astype(np.int32)
    ends = np.append(edges[1:], np.int32(len(kind))).astype(np.int32)
    solid = kind[edges] != 3
    return edges[solid], ends[solid]


def _shapes(classes: U8, start: I32, end: I32) -> U8:
    capitals = np.concatenate(([0], np.cumsum(classes == UPPER, dtype=np.int32)))
    count = capitals[end] - capitals[start]
    length = end - start
    first = classes[start]
    shape = np.full(len(start), SHAPE_MIXED, np.uint8)
    shape[count == 0] = SHAPE_LOWER
    shape[(count == 1) & (first == UPPER)] = SHAPE_INITIAL
    shape[(count == length) & (length > 1)] = SHAPE_UPPER
    shape[(count == 1) & (length == 1)] = SHAPE_SINGLE
    shape[first == DIGIT] = SHAPE_DIGIT
    shape[first == OTHER] = SHAPE_OTHER
    return shape


def _gaps(classes: U8, start: I32, end: I32) -> U8:
    if not len(start):
        return np.zeros(0, np.uint8)
    before = np.concatenate(([0], end[:-1])).astype(np.int32)
    gap = (start > before).astype(np.uint8)
    breaks = np.flatnonzero(classes == BREAK)
    lines = np.searchsorted(breaks, start) - np.searchsorted(breaks, before)
    gap[lines == 1] = 2
    gap[lines > 1] = 3
    gap[0] = 3
    return gap
