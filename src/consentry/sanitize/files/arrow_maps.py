"""Map columns by their keys: what stands under `ssn` in a map is judged as a column of that name would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.types as t

from consentry.sanitize.files.keys_apart import apart

MOST_KEYS: Final = 256
"""Maps of more keys hold values under keys that are values themselves; they are looked at as one column."""

Rows = np.ndarray[tuple[int], np.dtype[np.int64]]


def by_key(keys: pa.Array, items: pa.Array) -> Iterator[tuple[str, Rows]] | None:
    """The rows of each key; None where keys are no text, are too many, or values are nested."""
    flat = t.is_string(items.type) or t.is_large_string(items.type) or t.is_primitive(items.type)
    if not flat or not (t.is_string(keys.type) or t.is_large_string(keys.type)) or keys.null_count or not len(keys):
        return None
    encoded = keys.dictionary_encode()
    if len(encoded.dictionary) > MOST_KEYS:
        return None
    index = np.asarray(encoded.indices)
    order = np.argsort(index, kind="stable").astype(np.int64)
    cuts = np.cumsum(np.bincount(index, minlength=len(encoded.dictionary)))[:-1]
    return zip(encoded.dictionary.to_pylist(), np.split(order, cuts), strict=True)


def cleaned(keys: pa.Array, items: pa.Array, clean: Callable[[str, pa.Array], pa.Array]) -> pa.Array:
    """The items, those of each key cleaned together: `clean` is given the key (`value` for all) and its items."""
    groups = by_key(keys, items)
    if groups is None:
        return clean("value", items)
    order: list[Rows] = []
    parts: list[pa.Array] = []
    for key, rows in groups:
        order.append(rows)
        parts.append(clean(key, items.take(pa.array(rows))))
    back = np.argsort(np.concatenate(order), kind="stable")
    return pa.concat_arrays(parts).take(pa.array(back))


def kept_apart(old: pa.Array, new: pa.Array, offsets: pa.Array) -> pa.Array:
    """The new keys, those that one map made equal told apart; keys that are no text stay as they are."""
    kind = new.type
    texts = t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind)
    if not texts or old.type != kind or new.null_count or new.equals(old):
        return new
    before, after = old.to_pylist(), new.to_pylist()
    out: list[str] = []
    for start, end in pairwise(offsets.to_pylist()):
        out += apart(before[start:end], after[start:end])
    return pa.array(out, kind)
