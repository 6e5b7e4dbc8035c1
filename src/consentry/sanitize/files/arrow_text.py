"""Arrow arrays of text, and of bytes that are text: scanned joined, rebuilt only where something changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from consentry.sanitize.detector import Context
from consentry.sanitize.files import prefilter
from consentry.sanitize.files.cleaner import Cleaner, ColumnPlan
from consentry.sanitize.files.problems import FileUnreadable

_BLOCK_ROWS: Final = 32_768
_PROBE: Final = 2_048
_FEW: Final = 0.5


def is_textual(kind: pa.DataType) -> bool:
    """Strings and bytes, whatever their offsets."""
    return bool(
        t.is_string(kind)
        or t.is_large_string(kind)
        or t.is_string_view(kind)
        or t.is_binary(kind)
        or t.is_large_binary(kind)
        or t.is_binary_view(kind)
        or t.is_fixed_size_binary(kind)
    )


def readable(array: pa.Array) -> pa.Array:
    """Bytes as text where they are text, else empty; other arrays as they are."""
    if not is_textual(array.type) or t.is_string(array.type) or t.is_large_string(array.type):
        return array
    try:
        return _as_text(array)
    except pa.ArrowInvalid:
        return array.slice(0, 0)


def clean(
    array: pa.Array, name: str, plan: ColumnPlan, cleaner: Cleaner, compact: bool, subjects: Sequence[str] | None
) -> pa.Array:
    """The array with every value sanitized; the type stays."""
    kind = array.type
    if not (t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind)):
        array, rule = _bytes(array, name, cleaner)
        if rule is not None:
            return rule
    _validate(array, name)
    text = array.cast(pa.large_string()) if not t.is_large_string(array.type) and not t.is_string(array.type) else array
    if plan.mode == "keep" or len(text) == text.null_count:
        done = text
    elif plan.mode == "whole":
        done = _whole(text, name, plan, cleaner, subjects)
    elif _repeats(text):
        done = _by_unique(text, name, plan, cleaner)
    else:
        done = _scanned(text, name, plan, cleaner)
    done = without_hidden(done) if compact else done
    return done if done.type == kind else _back(done, kind)


def _validate(array: pa.Array, name: str) -> None:
    """Parquet and IPC readers take a string column's word for being UTF-8; we do not."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as error:
        raise FileUnreadable(f"the column `{name}` says that it is text and holds bytes that are not UTF-8") from error


def without_hidden(array: pa.Array) -> pa.Array:
    """The same values in buffers of their own, with nothing under nulls and nothing outside the slice."""
    if array.null_count == 0 and array.offset == 0 and _fits(array):
        return array
    places = pa.array(np.arange(len(array)), pa.int64(), mask=np.asarray(array.is_null()))
    return array.take(places)


def _fits(array: pa.Array) -> bool:
    """Whether the value buffer ends where the last value does."""
    _, offsets, data = array.buffers()
    if offsets is None or data is None:
        return True
    width = np.int64 if t.is_large_string(array.type) or t.is_large_binary(array.type) else np.int32
    ends = np.frombuffer(offsets, dtype=width, count=len(array) + 1)
    return bool(ends[0] == 0 and data.size - int(ends[-1]) < 64 and not any(data.to_pybytes()[int(ends[-1]) :]))


def _bytes(array: pa.Array, name: str, cleaner: Cleaner) -> tuple[pa.Array, pa.Array | None]:
    """Bytes as text, or what the profile's `binary` rule makes of bytes that are none."""
    try:
        return _as_text(array), None
    except pa.ArrowInvalid as error:
        rule = cleaner.profile.binary
        if rule == "keep":
            cleaner.tally.note(f"column `{name}`: bytes that are not text were kept, as the profile says")
            return array, without_hidden(array)
        if rule == "null":
            cleaner.tally.note(f"column `{name}`: bytes that are not text became null, as the profile says")
            return array, pa.nulls(len(array), array.type)
        raise FileUnreadable(
            f"the column `{name}` holds bytes that are not text and cannot be looked at; "
            'set `binary = "null"` or `"keep"` in the profile'
        ) from error


def _as_text(array: pa.Array) -> pa.Array:
    if t.is_fixed_size_binary(array.type):
        array = array.cast(pa.binary())
    return array.cast(pa.large_string())


def _back(done: pa.Array, kind: pa.DataType) -> pa.Array:
    if t.is_fixed_size_binary(kind):
        wide = done.cast(pa.binary())
        lengths = pc.binary_length(wide)
        fits = pc.fill_null(pc.equal(lengths, kind.byte_width), False)
        return pc.if_else(fits, wide, pa.scalar(None, pa.binary())).cast(kind)
    if t.is_binary(kind) or t.is_large_binary(kind) or t.is_binary_view(kind):
        return done.cast(pa.large_binary()).cast(kind)
    return done.cast(kind)


def _repeats(text: pa.Array) -> bool:
    probe = text.slice(0, _PROBE)
    return bool(pc.count_distinct(probe).as_py() <= _FEW * len(probe)) and len(text) > 16


def _by_unique(text: pa.Array, name: str, plan: ColumnPlan, cleaner: Cleaner) -> pa.Array:
    encoded = text.dictionary_encode()
    old = encoded.dictionary.to_pylist()
    counts = np.bincount(np.asarray(encoded.indices.drop_null()), minlength=len(old))
    new = cleaner.cells(old, name, plan, tuple(name.split(".")), counts.tolist())
    if new == old:
        return text
    return pc.take(pa.array(new, text.type), encoded.indices)


def _whole(text: pa.Array, name: str, plan: ColumnPlan, cleaner: Cleaner, subjects: Sequence[str] | None) -> pa.Array:
    if subjects is None:
        return _by_unique(text, name, plan, cleaner)
    values = text.to_pylist()
    new = [
        None if value is None else cleaner.whole(value, name, plan, subject)
        for value, subject in zip(values, subjects, strict=True)
    ]
    return pa.array(new, text.type)


def _scanned(text: pa.Array, name: str, plan: ColumnPlan, cleaner: Cleaner) -> pa.Array:
    blocks = [_block(text.slice(start, _BLOCK_ROWS), name, plan, cleaner) for start in range(0, len(text), _BLOCK_ROWS)]
    if all(new is None for _, new in blocks):
        return text
    return pa.concat_arrays([old if new is None else new for old, new in blocks])


def _block(text: pa.Array, name: str, plan: ColumnPlan, cleaner: Cleaner) -> tuple[pa.Array, pa.Array | None]:
    """The block and, where values change, the block that takes its place."""
    path = tuple(name.split("."))
    places = None if plan.names and cleaner.engines.names else _touched(text, path, cleaner)
    if places is None:
        old = text.to_pylist()
        new = cleaner.cells([one or "" for one in old], name, plan, path)
        changed = [at for at, one in enumerate(new) if one != (old[at] or "")]
        values = [new[at] for at in changed]
    else:
        if not len(places):
            cleaner.tally.values += len(text)
            return text, None
        old = text.take(pa.array(places)).to_pylist()
        new = cleaner.cells(old, name, plan, path)
        changed = [int(at) for at, a, b in zip(places, old, new, strict=True) if a != b]
        values = [b for a, b in zip(old, new, strict=True) if a != b]
    if not changed:
        return text, None
    mask = np.zeros(len(text), dtype=bool)
    mask[changed] = True
    return text, pc.replace_with_mask(text, pa.array(mask), pa.array(values, text.type))


def _touched(
    text: pa.Array, path: tuple[str, ...], cleaner: Cleaner
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """The rows in which the engine without names sees anything, by one scan of all rows joined."""
    context = Context(path[-1], path[:-1], True)
    if not prefilter.usable(context):
        return None
    filled = pc.fill_null(text, "")
    row = pa.LargeListArray.from_arrays(pa.array([0, len(filled)], pa.int64()), filled)
    joined = pc.binary_join(row, pa.scalar(prefilter.SEPARATOR, filled.type))[0].as_py()
    if prefilter.sealed(joined):
        return None
    worded = _worded(filled) if cleaner.engines.names else np.empty(0, dtype=np.int64)
    found = cleaner.engines.codes.scan(joined, context)
    if not found:
        return worded
    ends = np.cumsum(np.asarray(pc.utf8_length(filled)).astype(np.int64) + 1)
    if int(ends[-1]) - 1 != len(joined):
        return None
    first = np.searchsorted(ends, [one.start for one in found], side="right")
    last = np.searchsorted(ends, [one.end - 1 for one in found], side="right")
    return np.unique(np.concatenate([first, last, worded]))


def _worded(text: pa.Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The rows of several words, which may hold names though no sampled row did."""
    if not pc.any(pc.match_substring(text, " ")).as_py():
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.asarray(pc.match_substring_regex(text, r"\S \S")))
