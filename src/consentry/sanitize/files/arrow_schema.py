"""Schemas without what rides along: no metadata of any field at any depth, and no value in a column's name.

Writers keep field metadata, pandas attributes, Hugging Face features and more there (threats F2). Nothing of it is
needed to read the data, so nothing of it stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from consentry.sanitize.files.cleaner import Cleaner


def clean_schema(schema: pa.Schema, cleaner: Cleaner) -> pa.Schema:
    """The same fields and types, bare."""
    names = clean_names(schema.names, cleaner)
    return pa.schema(
        [bare_field(field).with_name(name) for field, name in zip(schema, names, strict=True)], metadata=None
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


def bare_field(field: pa.Field) -> pa.Field:
    """The field without metadata, in its children too; extension types that are not Arrow's own as their storage."""
    return pa.field(field.name, _bare(field.type), field.nullable)


def _bare(kind: pa.DataType) -> pa.DataType:
    if isinstance(kind, pa.BaseExtensionType):
        return kind if kind.extension_name.startswith("arrow.") else _bare(kind.storage_type)
    if isinstance(kind, pa.StructType):
        return pa.struct([bare_field(field) for field in kind])
    if isinstance(kind, pa.MapType):
        return pa.map_(_bare(kind.key_type), bare_field(kind.item_field), kind.keys_sorted)
    if isinstance(kind, pa.ListType):
        return pa.list_(bare_field(kind.value_field))
    if isinstance(kind, pa.LargeListType):
        return pa.large_list(bare_field(kind.value_field))
    if isinstance(kind, pa.FixedSizeListType):
        return pa.list_(bare_field(kind.value_field), kind.list_size)
    if isinstance(kind, pa.ListViewType):
        return pa.list_view(bare_field(kind.value_field))
    if isinstance(kind, pa.LargeListViewType):
        return pa.large_list_view(bare_field(kind.value_field))
    if isinstance(kind, pa.DictionaryType):
        return pa.dictionary(kind.index_type, _bare(kind.value_type), kind.ordered)
    return kind
