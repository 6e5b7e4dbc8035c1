"""The codec of entries: canonical compact JSON, one spelling for each entry.

Keys are sorted, there is no white space, and there are no floats, nulls or nested objects. Entries are hashed as they
were written; nothing serialises an entry a second time but to check that its spelling is the canonical one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn, TypeAlias, cast

import orjson

from consentry.ledger.entry_types import ENTRY_TYPES, FIELDS, Kind
from consentry.ledger.errors import EntryInvalid
from consentry.ledger.tiles import MAX_ENTRY_BYTES

FieldValue: TypeAlias = str | int | bool | Sequence[str]
Fields: TypeAlias = Mapping[str, FieldValue]

VERSION = 1
_SORTED: Final = orjson.OPT_SORT_KEYS
_MAX_COUNT = 2**53
_MAX_IDS = 256
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}").fullmatch
_HEX = re.compile(r"[0-9a-f]{64}").fullmatch
_TIME = re.compile(
    r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
).fullmatch
_VKEY = re.compile(r"[^\s+]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{1,200}={0,2}").fullmatch


def _is_ids(value: object) -> bool:
    if not isinstance(value, (list, tuple)) or len(value) > _MAX_IDS:
        return False
    return all(map(_ID, value))


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= _MAX_COUNT


def _is_flag(value: object) -> bool:
    return value is True or value is False


_Check: TypeAlias = Callable[[str], object]

# A check answers with something true or false, or raises TypeError for a value of another type.
_CHECKS: dict[Kind, _Check] = {
    Kind.ID: _ID,
    Kind.IDS: _is_ids,
    Kind.DIGEST: _HEX,
    Kind.COMMITMENT: _HEX,
    Kind.TIME: _TIME,
    Kind.COUNT: _is_count,
    Kind.FLAG: _is_flag,
    Kind.VKEY: _VKEY,
    Kind.DECISION: frozenset(("approve", "deny")).__contains__,
    Kind.STATUS: frozenset(("succeeded", "failed", "unknown")).__contains__,
    Kind.LEVEL: frozenset(("L0", "L1", "L2", "L3")).__contains__,
    Kind.GAP: frozenset(("torn", "missing", "uncertain")).__contains__,
}

_GRAMMAR: dict[str, tuple[frozenset[str], dict[str, _Check]]] = {
    row.name: (row.required, {name: _CHECKS[FIELDS[name]] for name in sorted(row.required | row.optional)})
    for row in ENTRY_TYPES.values()
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, read. `fields` holds what its type has beside `v`, `type` and `time`."""

    type: str
    time: str
    fields: dict[str, FieldValue]

    def text(self, name: str) -> str:
        """The text in a field, or `""` where the entry has none: ids, digests, times and choices."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else ""

    def count(self, name: str, default: int = 0) -> int:
        """The number in a field."""
        value = self.fields.get(name, default)
        return value if isinstance(value, int) else default

    def ids(self, name: str) -> tuple[str, ...]:
        """The list in a field."""
        value = self.fields.get(name, ())
        return tuple(value) if isinstance(value, (list, tuple)) else ()


def encode_entry(type: str, time: str, fields: Fields) -> bytes:
    """The bytes of an entry. Raises `EntryInvalid` where the type, the time or a field is not in the grammar.

    `time` is UTC to the millisecond, as `format_time` writes it. A field that does not apply is left out, never null.
    """
    _check(type, time, fields)
    data = orjson.dumps({"v": VERSION, "type": type, "time": time, **fields}, option=_SORTED)
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryInvalid(f"entry `{type}`: `{len(data)}` bytes, and {MAX_ENTRY_BYTES} fit; shorten its lists")
    return data


def decode_entry(data: bytes) -> Entry:
    """Read an entry; raises `EntryInvalid` unless the bytes are the one spelling of an entry of a known type."""
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise EntryInvalid("entry: not JSON") from error
    if type(raw) is not dict or orjson.dumps(raw, option=_SORTED) != data:
        raise EntryInvalid("entry: not in the canonical spelling (a flat object, keys sorted, no white space)")
    version, name, time = raw.pop("v", None), raw.pop("type", None), raw.pop("time", None)
    if type(version) is not int or version != VERSION:
        raise EntryInvalid(f"entry: this program reads version {VERSION} only")
    _check(name, time, raw)
    return Entry(name, time, cast(dict[str, FieldValue], raw))


def format_time(at: datetime) -> str:
    """An aware time as entries spell it: UTC, cut to the millisecond."""
    if at.tzinfo is None:
        raise EntryInvalid("entry: a time needs a time zone")
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def _check(type: str, time: str, fields: Fields) -> None:
    try:
        required, checks = _GRAMMAR[type]
        good = _TIME(time) and required <= fields.keys()
        for name, value in fields.items():
            if not checks[name](value):  # type: ignore[arg-type]
                good = False
    except (KeyError, TypeError):
        good = False
    if not good:
        _explain(type, time, fields)


def _explain(type: object, time: object, fields: Fields) -> NoReturn:
    """Raise for the first thing that is wrong. Values are not shown: one may be what must not stand in an entry."""
    if not isinstance(type, str) or type not in _GRAMMAR:
        raise EntryInvalid("entry: there is no such type; the types are in `docs/ledger.md`")
    if not isinstance(time, str) or not _TIME(time):
        raise EntryInvalid(f"entry `{type}`: the time must read like `2026-01-02T03:04:05.678Z`")
    required, checks = _GRAMMAR[type]
    if missing := sorted(required - fields.keys()):
        raise EntryInvalid(f"entry `{type}`: lacks `{'`, `'.join(missing)}`")
    if strange := [name for name in fields if name not in checks]:
        raise EntryInvalid(f"entry `{type}`: {len(strange)} of its fields are not in the table of entry types")
    for name, value in fields.items():
        if not _passes(checks[name], value):
            raise EntryInvalid(f"entry `{type}`: `{name}` must be: {FIELDS[name].value}")
    raise EntryInvalid(f"entry `{type}`: not in the grammar")


def _passes(check: _Check, value: object) -> bool:
    try:
        return bool(check(value))  # type: ignore[arg-type]
    except TypeError:
        return False
