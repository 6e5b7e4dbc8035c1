"""Arrow record batches: every column, however nested, sanitized; nothing hidden in nulls, slices or dictionaries.

Null slots can hold bytes, a slice can share its parent's buffers, and a dictionary can hold values that no row uses
(threats F1): what comes out of here is rebuilt wherever one of these could be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as t

from consentry.sanitize.columns import family_of
from consentry.sanitize.files import arrow_maps, arrow_numbers, arrow_text
from consentry.sanitize.files.arrow_schema import clean_name, clean_names, clean_schema, clean_zone, keeps_extension
from consentry.sanitize.files.cleaner import SCAN, Cleaner, ColumnPlan, TablePlan
from consentry.sanitize.files.problems import FileUnreadable
from consentry.sanitize.files.survey import SAMPLE, Sample, survey


@dataclass(frozen=True, slots=True)
class Place:
    """Where an array stands: its dotted name, the plans of the table, and whose row each value is."""

    name: str
    plans: TablePlan
    subjects: Sequence[str] | None = None

    def under(self, name: str) -> Place:
        return Place(f"{self.name}.{name}", self.plans)

    def items(self) -> Place:
        """List items stand under the list's own name, for they are values of the same column."""
        return Place(self.name, self.plans)

    @property
    def plan(self) -> ColumnPlan:
        return self.plans.get(self.name, SCAN)


def sanitize_batch(batch: pa.RecordBatch, cleaner: Cleaner) -> pa.RecordBatch:
    """One batch by itself: its columns are judged from its own rows."""
    out = clean_batch(batch, cleaner, plan_batches([batch], cleaner))
    cleaner.take_tally()
    return out


def plan_batches(batches: Sequence[pa.RecordBatch], cleaner: Cleaner, table: str = "") -> TablePlan:
    """What the columns hold, by samples from all the batches; struct fields by their dotted names."""
    samples: dict[str, tuple[pa.DataType, list[str]]] = {}
    for batch in batches:
        for field, column in zip(batch.schema, batch.columns, strict=True):
            _sample(field.name, column, samples, SAMPLE // len(batches) + 1)
    return survey([Sample(name, family_of(kind), values) for name, (kind, values) in samples.items()], cleaner, table)


def clean_batch(
    batch: pa.RecordBatch, cleaner: Cleaner, plans: TablePlan, *, compact: bool = True, schema: pa.Schema | None = None
) -> pa.RecordBatch:
    """The batch sanitized, with a schema that carries no metadata.

    `compact` False saves the look for hidden bytes; for batches that came out of Parquet, which stores none. Raises
    `FileUnreadable` for bytes that are not text (see `Profile.binary`) and for union columns.
    """
    subjects = _subjects(batch, cleaner)
    columns = [
        clean_array(column, Place(field.name, plans, subjects), cleaner, compact)
        for field, column in zip(batch.schema, batch.columns, strict=True)
    ]
    target = schema if schema is not None else clean_schema(batch.schema, cleaner)
    fields = [
        field.with_type(column.type).with_nullable(field.nullable or _may_be_null(old.type, Place(old.name, plans)))
        for field, old, column in zip(target, batch.schema, columns, strict=True)
    ]
    if not columns:
        return batch.replace_schema_metadata(None)
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def clean_array(array: pa.Array, place: Place, cleaner: Cleaner, compact: bool) -> pa.Array:
    """One array of any type."""
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        storage = clean_array(array.storage, place, cleaner, compact)
        canonical = keeps_extension(kind) and storage.type == kind.storage_type
        return pa.ExtensionArray.from_storage(kind, storage) if canonical else storage
    if isinstance(kind, pa.DictionaryType):
        return _dictionary(array, place, cleaner, compact)
    if t.is_run_end_encoded(kind):
        dense = clean_array(pc.run_end_decode(array), place, cleaner, compact)
        return pc.run_end_encode(dense, run_end_type=kind.run_end_type)
    if t.is_union(kind):
        raise FileUnreadable(f"the column `{place.name}` is a union, which is not read; make it a struct")
    if t.is_nested(kind):
        return _nested(array, place, cleaner, compact)
    if arrow_text.is_textual(kind):
        return arrow_text.clean(array, place.name, place.plan, cleaner, compact, place.subjects)
    new = arrow_numbers.clean(array, place.name, place.plan, cleaner, compact, place.subjects)
    return new if clean_zone(new.type) == new.type else new.cast(pa.int64()).cast(clean_zone(new.type))


def _dictionary(array: pa.DictionaryArray, place: Place, cleaner: Cleaner, compact: bool) -> pa.Array:
    """Rebuilt with the values that rows use, and those sanitized; types and order flag stay."""
    kind = array.type
    if t.is_nested(kind.value_type):
        what = f"the column `{place.name}` is a dictionary of nested values, which is not read; write the values out"
        raise FileUnreadable(what)
    dense = pc.take(array.dictionary, array.indices)
    if not (arrow_text.is_textual(kind.value_type) or t.is_primitive(kind.value_type)) or place.subjects is not None:
        return _encoded(clean_array(dense, place, cleaner, compact), kind)
    used = dense.dictionary_encode()
    values = clean_array(used.dictionary, place, cleaner, compact)
    if values.equals(used.dictionary):
        return _encoded(used, kind)
    return _encoded(pc.take(values, used.indices), kind)


def _encoded(dense: pa.Array, kind: pa.DictionaryType) -> pa.Array:
    encoded = dense if isinstance(dense, pa.DictionaryArray) else dense.dictionary_encode()
    try:
        indices = encoded.indices.cast(kind.index_type)
    except pa.ArrowInvalid as error:
        what = f"a dictionary with {kind.index_type} indices has no room for the stand-ins; give it wider ones"
        raise FileUnreadable(what) from error
    return pa.DictionaryArray.from_arrays(indices, encoded.dictionary, ordered=kind.ordered)


def _nested(array: pa.Array, place: Place, cleaner: Cleaner, compact: bool) -> pa.Array:
    kind = array.type
    if isinstance(kind, pa.StructType):
        # flatten() gives each child the struct's own nulls too, so that no child keeps a value under a null row.
        old = array.flatten()
        parts = [
            clean_array(child, place.under(field.name), cleaner, True) for field, child in zip(kind, old, strict=True)
        ]
        names = clean_names([field.name for field in kind], cleaner)
        fields = [
            pa.field(name, new.type, field.nullable or _may_be_null(field.type, place.under(field.name)))
            for name, field, new in zip(names, kind, parts, strict=True)
        ]
        return pa.StructArray.from_arrays(parts, fields=fields, mask=array.is_null())
    if isinstance(kind, pa.MapType):
        return _map(array, place, cleaner)
    if isinstance(kind, (pa.ListType, pa.LargeListType)):
        items = clean_array(array.flatten(), place.items(), cleaner, True)
        build = pa.ListArray if isinstance(kind, pa.ListType) else pa.LargeListArray
        item = _item(kind.value_field, items, place, cleaner)
        made = pa.list_(item) if isinstance(kind, pa.ListType) else pa.large_list(item)
        return build.from_arrays(_offsets(array), items, type=made, mask=array.is_null() if array.null_count else None)
    if isinstance(kind, pa.FixedSizeListType):
        cleaned = _nested(array.cast(pa.list_(kind.value_field)), place, cleaner, compact)
        made = pa.list_(cleaned.type.value_field, kind.list_size)
        return cleaned.cast(made) if cleaned.type.value_type == kind.value_type else cleaned
    return _list_view(array, place, cleaner)


def _item(field: pa.Field, items: pa.Array, place: Place, cleaner: Cleaner) -> pa.Field:
    nullable = field.nullable or _may_be_null(field.type, place.items())
    return pa.field(clean_name(field.name, cleaner), items.type, nullable)


def _may_be_null(kind: pa.DataType, place: Place) -> bool:
    """Whether a value may give way to null, in this batch or another of the column: all have one schema."""
    if isinstance(kind, pa.BaseExtensionType):
        return _may_be_null(kind.storage_type, place)
    if isinstance(kind, pa.DictionaryType) or t.is_run_end_encoded(kind):
        return _may_be_null(kind.value_type, place)
    if t.is_nested(kind) or place.plan.mode == "keep":
        return False
    if arrow_text.is_textual(kind):
        return not (t.is_string(kind) or t.is_large_string(kind) or t.is_string_view(kind))
    return place.plan.mode == "whole" or arrow_numbers.may_hold_cards(kind)


def _list_view(array: pa.Array, place: Place, cleaner: Cleaner) -> pa.Array:
    kind = array.type
    items = clean_array(array.flatten(), place.items(), cleaner, True)
    large = isinstance(kind, pa.LargeListViewType)
    sizes = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64() if large else pa.int32())
    starts = pc.subtract(pc.cumulative_sum(sizes), sizes)
    item = _item(kind.value_field, items, place, cleaner)
    made = pa.large_list_view(item) if large else pa.list_view(item)
    build = pa.LargeListViewArray if large else pa.ListViewArray
    mask = array.is_null() if array.null_count else None
    return build.from_arrays(starts, sizes, items, type=made, mask=mask)


def _map(array: pa.MapArray, place: Place, cleaner: Cleaner) -> pa.Array:
    kind = array.type
    keys, items = _entries(array)
    new_keys = clean_array(keys, place.under("(key)"), cleaner, True)
    new_items = arrow_maps.cleaned(keys, items, lambda key, some: clean_array(some, place.under(key), cleaner, True))
    offsets = _offsets(array)
    new_keys = _keys_apart(keys, new_keys, offsets)
    if array.null_count:
        null = pa.concat_arrays([array.is_null(), pa.array([False])])
        offsets = pc.if_else(null, pa.scalar(None, offsets.type), offsets)
    nullable = kind.item_field.nullable or not (t.is_string(kind.item_type) or t.is_large_string(kind.item_type))
    item = pa.field("value", new_items.type, nullable)
    made = pa.map_(pa.field("key", new_keys.type, nullable=False), item, kind.keys_sorted)
    return pa.MapArray.from_arrays(offsets, new_keys, new_items, type=made)


def _keys_apart(old: pa.Array, new: pa.Array, offsets: pa.Array) -> pa.Array:
    if not isinstance(new.type, pa.DictionaryType):
        return arrow_maps.kept_apart(old, new, offsets)
    dense = arrow_maps.kept_apart(old.cast(new.type.value_type), new.cast(new.type.value_type), offsets)
    return _encoded(dense, new.type)


def _entries(array: pa.MapArray) -> tuple[pa.Array, pa.Array]:
    """Keys and values of all the maps, one after another, without those under null maps."""
    kind = array.type
    entries = array.cast(pa.list_(pa.struct([kind.key_field.with_name("key"), kind.item_field.with_name("value")])))
    flat = entries.flatten()
    return (flat.field(0), flat.field(1)) if len(flat) else (flat.field("key"), flat.field("value"))


def _offsets(array: pa.Array) -> pa.Array:
    """Offsets from 0 over the lengths of the lists, null lists being empty."""
    large = t.is_large_list(array.type)
    kind = pa.int64() if large else pa.int32()
    lengths = pc.fill_null(_lengths(array), 0).cast(kind)
    ends = pc.cumulative_sum(lengths)
    return pa.concat_arrays([pa.array([0], kind), ends.cast(kind)])


def _lengths(array: pa.Array) -> pa.Array:
    if isinstance(array.type, pa.MapType):
        array = array.cast(pa.list_(pa.struct([array.type.key_field, array.type.item_field])))
    return pc.list_value_length(array)


def _subjects(batch: pa.RecordBatch, cleaner: Cleaner) -> Sequence[str] | None:
    name = cleaner.profile.subject
    if name is None or name not in batch.schema.names:
        return None
    return ["" if one is None else str(one) for one in batch.column(name).to_pylist()]


def _sample(name: str, array: pa.Array, out: dict[str, tuple[pa.DataType, list[str]]], want: int) -> None:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind = array.type
    if isinstance(kind, pa.StructType):
        for field, child in zip(kind, array.flatten(), strict=True):
            _sample(f"{name}.{field.name}", child, out, want)
        return
    if t.is_run_end_encoded(kind):
        _sample(name, pc.run_end_decode(array), out, want)
        return
    if t.is_map(kind):
        keys, items = _entries(array)
        for key, rows in arrow_maps.by_key(keys, items) or ():
            _sample(f"{name}.{key}", items.take(pa.array(rows)), out, want)
        return
    if t.is_nested(kind) and not t.is_union(kind):
        _sample(name, array.flatten(), out, want)
        return
    values = out.setdefault(name, (kind, []))[1]
    if t.is_nested(kind) or t.is_null(kind):
        return
    found = _texts(array, want)
    values += found[:: max(1, len(found) // want)][:want]


def _texts(array: pa.Array, want: int) -> list[str]:
    """Up to `want` values spread over the array, as text; none where they are not text."""
    if t.is_string_view(array.type) or t.is_binary_view(array.type):
        array = array.slice(0, 4 * want).cast(pa.large_binary())
    step = max(1, len(array) // (4 * want))
    try:
        picked = array.take(pa.array(range(0, len(array), step), pa.int64())).drop_null()[: 2 * want]
        # Moments as Arrow writes them: Python's own have neither nanoseconds nor the year 4000000.
        text = picked.cast(pa.string()) if t.is_temporal(array.type) else arrow_text.readable(picked)
        return [str(one) for one in text.to_pylist() if str(one).strip()]
    except (UnicodeDecodeError, pa.ArrowException):
        return []
