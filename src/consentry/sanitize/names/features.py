"""What the model is told about a token type, as rows of one hashed embedding table.

A type is a folded token and its shape. Every feature is a function of the type alone, so each type is computed once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from consentry.sanitize.names.tokens import I32, U8, U64, part_hash

BITS: Final = 17
ROWS: Final = 1 << BITS
AFFIX: Final = 4
TRIGRAMS: Final = 10
LISTS: Final = (
    "first",
    "last",
    "city",
    "country",
    "nationality",
    "region",
    "organization",
    "title",
    "street",
    "common",
)
"""Word lists whose membership is a feature; their order is part of the model."""
SLOTS: Final = 4 + 2 * AFFIX + TRIGRAMS
WINDOW: Final = 3
"""Tokens seen on either side."""


def mix(values: U64) -> U64:
    """Finaliser of splitmix64 (Steele, Lea, Flood 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _row(values: U64, salt: int) -> I32:
    salted = mix(values + np.uint64((salt * 0xD6E8FEB86659FD93) & 0xFFFFFFFFFFFFFFFF))
    return ((salted >> np.uint64(64 - BITS)).astype(np.int32) | 1).astype(np.int32)


def type_keys(key: U64, shape: U8) -> U64:
    """One number per type: folded hash and shape together."""
    return mix(key + shape.astype(np.uint64) * np.uint64(0xA24BAED4963EE407))


def rows(prefix: U64, start: I32, end: I32, key: U64, shape: U8, lists: dict[str, U64]) -> npt.NDArray[np.int32]:
    """Embedding rows of each type, `SLOTS` per type; 0 stands for no feature (row 0 is zero).

    `lists` holds sorted hashes of folded words.
    """
    length = end - start
    shape64 = shape.astype(np.uint64)
    out = np.zeros((len(start), SLOTS), np.int32)
    out[:, 0] = _row(key, 1)
    out[:, 1] = _row(key + shape64, 2)
    out[:, 2] = _row(shape64 * np.uint64(16) + np.minimum(length, 12).astype(np.uint64), 3)
    out[:, 3] = _row(membership(key, lists) * np.uint64(8) + shape64, 4)
    slot = 4
    for size in range(1, AFFIX + 1):
        inside = length > size - (size == 1)
        head = part_hash(prefix, start, np.minimum(start + size, end))
        tail = part_hash(prefix, np.maximum(end - size, start), end)
        out[:, slot] = np.where(inside, _row(head, 10 + size), 0)
        out[:, slot + 1] = np.where(inside, _row(tail, 20 + size), 0)
        slot += 2
    for at in range(TRIGRAMS):
        inside = length >= at + 3
        first = np.where(inside, start + at, start).astype(np.int32)
        gram = part_hash(prefix, first, np.where(inside, first + 3, first).astype(np.int32))
        out[:, slot] = np.where(inside, _row(gram, 30), 0)
        slot += 1
    return out


def membership(key: U64, lists: dict[str, U64]) -> U64:
    """A bit per list of `LISTS` that holds the word."""
    bits = np.zeros(len(key), np.uint64)
    for index, name in enumerate(LISTS):
        bits |= contains(lists[name], key).astype(np.uint64) << np.uint64(index)
    return bits


def contains(words: U64, key: U64) -> npt.NDArray[np.bool_]:
    """Whether each key is in the sorted `words`."""
    if not len(words):
        return np.zeros(len(key), bool)
    at = np.minimum(np.searchsorted(words, key), len(words) - 1)
    return np.asarray(words[at] == key)
