"""Schemas without what rides along: no metadata of any field at any depth, and no value in the name of a column, a
field of a struct, or a list's items.

Writers keep field metadata, pandas attributes, Hugging Face features and more there (threats F2). Nothing of it is
needed to read the data, so nothing of it stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from consentry.sanitize.files.cleaner import Cleaner

_PLAIN_EXTENSIONS: Final = frozenset({"arrow.uuid", "arrow.json", "arrow.bool8"})
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{1,31}(?:/[A-Za-z0-9_+-]{1,31}){0,2}|[+-]\d\d:?\d\d", re.ASCII)


def clean_schema(schema: pa.Schema, cleaner: Cleaner) -> pa.Schema:
    """The same fields and types, bare."""
    names = clean_names(schema.names, cleaner)
    return pa.schema(
        [_bare_field(field, cleaner, name) for field, name in zip(schema, names, strict=True)], metadata=None
    )


def clean_names(names: list[str], cleaner: Cleaner) -> list[str]:
    """Column names, those with findings sanitized and kept apart from each other."""
    out: list[str] = []
    for old, new in zip(names, cleaner.cells(names, "(column names)"), strict=True):
        name, count = new, 1
        while new != old and (name in out or name in names):
            count += 1
            name = f"{new}_{count}"
        out.append(name)
    return out


def clean_name(name: str, cleaner: Cleaner) -> str:
    """The name of a field that has no neighbours, as of a list's items."""
    return clean_names([name], cleaner)[0]


def keeps_extension(kind: pa.BaseExtensionType) -> bool:
    """Whether an extension type is one of Arrow's own without a text in it that somebody chose.

    `arrow.opaque` holds names of a type and a vendor, `arrow.fixed_shape_tensor` names of its dimensions.
    """
    return kind.extension_name in _PLAIN_EXTENSIONS


def clean_zone(kind: pa.DataType) -> pa.DataType:
    """A moment's type with a time zone that can be one; the moments are the same in any."""
    if pa.types.is_timestamp(kind) and kind.tz is not None and not _ZONE.fullmatch(kind.tz):
        return pa.timestamp(kind.unit, "UTC")
    return kind


def _bare_field(field: pa.Field, cleaner: Cleaner, name: str | None = None) -> pa.Field:
    """The field without metadata, in its children too; extension types that are not plain as their storage."""
    name = clean_name(field.name, cleaner) if name is None else name
    return pa.field(name, _bare(field.type, cleaner), field.nullable)


def _bare(kind: pa.DataType, cleaner: Cleaner) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return kind if keeps_extension(kind) else _bare(kind.storage_type, cleaner)
    if isinstance(kind, pa.StructType):
        names = clean_names([field.name for field in kind], cleaner)
        return pa.struct([_bare_field(field, cleaner, name) for field, name in zip(kind, names, strict=True)])
    if isinstance(kind, pa.MapType):
        item = _bare_field(kind.item_field, cleaner, "value")
        return pa.map_(pa.field("key", _bare(kind.key_type, cleaner), nullable=False), item, kind.keys_sorted)
    if isinstance(kind, pa.ListType):
        return pa.list_(_bare_field(kind.value_field, cleaner))
    if isinstance(kind, pa.LargeListType):
        return pa.large_list(_bare_field(kind.value_field, cleaner))
    if isinstance(kind, pa.FixedSizeListType):
        return pa.list_(_bare_field(kind.value_field, cleaner), kind.list_size)
    if isinstance(kind, pa.ListViewType):
        return pa.list_view(_bare_field(kind.value_field, cleaner))
    if isinstance(kind, pa.LargeListViewType):
        return pa.large_list_view(_bare_field(kind.value_field, cleaner))
    if isinstance(kind, pa.DictionaryType):
        return pa.dictionary(kind.index_type, _bare(kind.value_type, cleaner), kind.ordered)
    return clean_zone(kind)
