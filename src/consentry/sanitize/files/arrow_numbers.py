"""Arrow columns that are not text: numbers that are cards or identifiers, dates, truth values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from consentry.sanitize import entities
from consentry.sanitize.detector import Context
from consentry.sanitize.files.cleaner import Cleaner, ColumnPlan
from consentry.sanitize.transforms.coarse import Generalise
from consentry.sanitize.transforms.dates import DateShift
from consentry.sanitize.transforms.simple import Keep

_LEAST_CARD: Final = 10**11
_CARD_DIGITS: Final = 12
_MOST_EXACT: Final = 2**63 - 1
_INTEGER: Final = re.compile(r"-?(?:0|[1-9]\d*)")
_TRAILING: Final = re.compile(r"\.0*$")
_DAY_MS: Final = 86_400_000


def clean(
    array: pa.Array, name: str, plan: ColumnPlan, cleaner: Cleaner, compact: bool, subjects: Sequence[str] | None
) -> pa.Array:
    """The array sanitized; the type stays, so a value whose stand-in does not fit the type becomes null."""
    kind = array.type
    if t.is_null(kind):
        return array
    array = without_hidden(array) if compact else array
    if plan.mode == "keep" or array.null_count == len(array):
        return array
    if plan.mode == "whole" and plan.type is not None:
        if t.is_temporal(kind):
            return _moments(array, name, plan, cleaner, subjects)
        return _whole(array, name, plan, cleaner, subjects)
    if t.is_integer(kind) or t.is_floating(kind) or t.is_decimal(kind):
        return _cards(array, name, cleaner)
    return array


def without_hidden(array: pa.Array) -> pa.Array:
    """The same values with zeros under the nulls, in buffers of their own."""
    if array.null_count == 0 and array.offset == 0:
        return array
    return array.take(pa.array(np.arange(len(array)), pa.int64(), mask=np.asarray(array.is_null())))


def _whole(array: pa.Array, name: str, plan: ColumnPlan, cleaner: Cleaner, subjects: Sequence[str] | None) -> pa.Array:
    values = [None if one is None else _plain(one) for one in array.to_pylist()]
    known: dict[tuple[str, str], str | None] = {}
    out: list[str | None] = []
    for at, value in enumerate(values):
        subject = subjects[at] if subjects is not None else ""
        if value is not None and (value, subject) not in known:
            known[value, subject] = cleaner.whole(value, name, plan, subject)
        elif value is not None:
            cleaner.tally.at(name, plan.type or "").count += 1
        out.append(None if value is None else known[value, subject])
    if out == values:
        return array
    kept = [old if new == text else _number(new) for old, text, new in zip(array.to_pylist(), values, out, strict=True)]
    return _typed(kept, array.type)


def _plain(value: object) -> str:
    """Numbers without an exponent, whole floats without a fraction."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return _TRAILING.sub("", str(value)) if not isinstance(value, float) else str(value)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and _INTEGER.fullmatch(text) else None


def _typed(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """Values in the column's type; those that do not fit are null."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        out = []
        for value in values:
            try:
                pa.scalar(value, kind)
                out.append(value)
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                out.append(None)
        return pa.array(out, kind)


def _cards(array: pa.Array, name: str, cleaner: Cleaner) -> pa.Array:
    """A column that is not known to hold cards may still hold some: whole numbers of 12 digits and more that Luhn
    allows are given to the engine; the rest of the column costs one comparison."""
    whole = _as_int64(array)
    if whole is None:
        return array
    values = np.asarray(pc.fill_null(whole, 0))
    rows = np.flatnonzero(values >= _LEAST_CARD)
    rows = rows[_luhn(values[rows])] if len(rows) else rows
    if not len(rows):
        return array
    texts = [str(one) for one in values[rows].tolist()]
    context = Context(name.rpartition(".")[2], (), True)
    hits = {
        int(row): text
        for row, text, found in zip(
            rows, texts, cleaner.engines.codes.scan_many(texts, [context] * len(texts)), strict=True
        )
        if any(one.type == entities.CREDIT_CARD and one.end - one.start == len(text) for one in found)
    }
    if not hits:
        return array
    plan = ColumnPlan("whole", entities.CREDIT_CARD)
    new = {row: cleaner.whole(text, name, plan) for row, text in hits.items()}
    old = array.to_pylist()
    return _typed(
        [_number(new[at]) if at in new and new[at] != hits[at] else one for at, one in enumerate(old)], array.type
    )


def may_hold_cards(kind: pa.DataType) -> bool:
    """Whether numbers of the type have the digits of a card."""
    if t.is_integer(kind) or t.is_floating(kind):
        return bool(kind.bit_width >= 64)
    return bool(t.is_decimal(kind) and kind.precision - kind.scale >= _CARD_DIGITS)


def _as_int64(array: pa.Array) -> pa.Array | None:
    kind = array.type
    if not may_hold_cards(kind):
        return None
    if t.is_integer(kind):
        return array.cast(pa.int64(), safe=False)
    if t.is_floating(kind):
        numbers = np.asarray(pc.fill_null(array, 0.0))
        fits = np.isfinite(numbers) & (np.abs(numbers) < 2.0**53) & (numbers >= _LEAST_CARD)
        return pa.array(np.where(fits, numbers, 0).astype(np.int64)) if fits.any() else None
    try:
        return pc.floor(array).cast(pa.int64(), safe=False)
    except pa.ArrowInvalid:
        return None


def _luhn(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    total = np.zeros(len(values), dtype=np.int64)
    rest = values.copy()
    for place in range(19):
        digit = rest % 10
        if place % 2:
            digit = digit * 2
            digit -= 9 * (digit > 9)
        total += digit
        rest //= 10
    return np.equal(total % 10, 0)


def _moments(
    array: pa.Array, name: str, plan: ColumnPlan, cleaner: Cleaner, subjects: Sequence[str] | None
) -> pa.Array:
    """Dates and timestamps: made coarse, moved or kept where the plan says so, else null."""
    transform = cleaner.plan.step(plan.type or "").transform
    if isinstance(transform, Keep):
        return array
    kind = array.type
    dated = t.is_date(kind) or t.is_timestamp(kind)
    new: pa.Array | None = None
    if dated and isinstance(transform, Generalise):
        new = pc.floor_temporal(array, unit=transform.bucket).cast(kind)
    elif dated and isinstance(transform, DateShift):
        new = _shifted(array, transform, subjects)
    new = pa.nulls(len(array), kind) if new is None else new
    changed = len(array) - array.null_count
    if new.equals(array):
        return array
    reason = "; ".join(plan.verdict.reasons) if plan.verdict is not None else "declared in the profile"
    done = cleaner.plan.step(plan.type or "").name if cleaner.changes else ""
    score = plan.verdict.confidence if plan.verdict is not None else 1.0
    cleaner.tally.at(name, plan.type or "").add(score, done, f"column: {reason}", "", plan.type or "", changed)
    cleaner.tally.values += changed
    return new if cleaner.changes else array


def _shifted(array: pa.Array, transform: DateShift, subjects: Sequence[str] | None) -> pa.Array:
    kind = array.type
    owners = subjects if subjects is not None else [""] * len(array)
    days = np.array([transform.offset(one) for one in owners], dtype=np.int64)
    unit = pa.timestamp("ms", kind.tz) if t.is_timestamp(kind) else pa.timestamp("ms")
    wide = array.cast(unit if not t.is_timestamp(kind) else kind)
    scale = {"s": 86_400, "ms": _DAY_MS, "us": _DAY_MS * 1_000, "ns": _DAY_MS * 1_000_000}[wide.type.unit]
    moved = pc.add(wide.cast(pa.int64()), pa.array(days * scale))
    return moved.cast(wide.type).cast(kind)
