"""The codec of entries: canonical compact JSON, one spelling for each entry.

Keys are sorted, there is no white space, and there are no floats, nulls or nested objects. The entries of one type are
a regular language, so one pattern over the bytes, compiled from the table of types, checks spelling, fields and values
at once. Entries are hashed as they were written; nothing serialises one a second time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, NoReturn, TypeAlias

import orjson

from consentry.ledger.entry_types import ENTRY_TYPES, FIELDS, EntryType, Kind
from consentry.ledger.errors import EntryInvalid
from consentry.ledger.tiles import MAX_ENTRY_BYTES

FieldValue: TypeAlias = str | int | Sequence[str]
Fields: TypeAlias = Mapping[str, FieldValue]

VERSION = 1
_SORTED: Final = orjson.OPT_SORT_KEYS
_made = tuple.__new__
_ID = r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}+"
_TIME = r"[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{3}Z"
_HEX = r"[0-9a-f]{64}+"

# INVARIANT: no value can hold a quotation mark, so that a pattern has one way to match and its time is linear.
_VALUES: dict[Kind, str] = {
    Kind.ID: f'"{_ID}"',
    Kind.IDS: rf'\[(?:"{_ID}"(?:,"{_ID}"){{0,255}}+)?+\]',
    Kind.DIGEST: f'"{_HEX}"',
    Kind.COMMITMENT: f'"{_HEX}"',
    Kind.TIME: f'"{_TIME}"',
    Kind.COUNT: r"(?:0|[1-9][0-9]{0,14})",
    Kind.VKEY: r'"[!#-*,-\[\]-~]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{1,200}={0,2}"',
    Kind.BYTES: '"[A-Za-z0-9_-]{1,5462}+"',
    Kind.DECISION: '"(?:approve|deny)"',
    Kind.STATUS: '"(?:succeeded|failed|unknown)"',
    Kind.LEVEL: '"L[0-3]"',
    Kind.GAP: '"(?:torn|missing|uncertain)"',
}


def _pattern(row: EntryType) -> re.Pattern[bytes]:
    """The spelling of every entry of one type. `time` always stands, so fields before it end in a comma."""
    parts = {"time": f'"time":"{_TIME}"', "type": f',"type":"{re.escape(row.name)}"', "v": f',"v":{VERSION}'}
    for name in row.required | row.optional:
        pair = f'"{name}":{_VALUES[FIELDS[name]]}'
        pair = f"{pair}," if name < "time" else f",{pair}"
        parts[name] = pair if name in row.required else f"(?:{pair})?+"
    return re.compile((r"\{" + "".join(parts[name] for name in sorted(parts)) + r"\}").encode())


class _Grammar(dict[str, Callable[[bytes], re.Match[bytes] | None]]):
    """The patterns by type, each compiled when it is first asked for: all of them would slow every start."""

    def __missing__(self, name: str) -> Callable[[bytes], re.Match[bytes] | None]:
        match = self[name] = _pattern(ENTRY_TYPES[name]).fullmatch
        return match


_GRAMMAR = _Grammar()


class Entry(NamedTuple):
    """One entry, read. `fields` holds the whole object, `v`, `type` and `time` included.

    A tuple, for speed: a verifier makes one for each entry of a log. The grammar has proved the types of the values.
    """

    type: str
    fields: dict[str, FieldValue]

    @property
    def time(self) -> str:
        """When it happened, as `format_time` spells it."""
        return self.text("time")

    def text(self, name: str) -> str:
        """The text in a field, or `""` where the entry has none: ids, digests, times and choices."""
        return self.fields.get(name, "")  # type: ignore[return-value]

    def count(self, name: str, default: int = 0) -> int:
        """The number in a field."""
        return self.fields.get(name, default)  # type: ignore[return-value]

    def ids(self, name: str) -> Sequence[str]:
        """The list in a field."""
        return self.fields.get(name, ())  # type: ignore[return-value]


def encode_entry(type: str, time: str, fields: Fields) -> bytes:
    """The bytes of an entry. Raises `EntryInvalid` where the type, the time or a field is not in the grammar.

    `time` is UTC to the millisecond, as `format_time` writes it. A field that does not apply is left out, never null.
    """
    whole = {**fields, "v": VERSION, "type": type, "time": time}
    try:
        data = orjson.dumps(whole, option=_SORTED)
        good = _GRAMMAR[type](data) is not None and len(whole) == len(fields) + 3
    except (KeyError, TypeError):
        good = False
    if not good:
        _explain(type, time, fields)
    if len(data) > MAX_ENTRY_BYTES:
        raise EntryInvalid(f"entry `{type}`: `{len(data)}` bytes, and {MAX_ENTRY_BYTES} fit; shorten its lists")
    return data


def decode_entry(data: bytes) -> Entry:
    """Read an entry; raises `EntryInvalid` unless the bytes are the one spelling of an entry of a known type."""
    try:
        raw = orjson.loads(data)
        name = raw["type"]
        good = _GRAMMAR[name](data) is not None
    except orjson.JSONDecodeError as error:
        raise EntryInvalid("entry: not JSON") from error
    except (KeyError, TypeError) as error:
        raise EntryInvalid("entry: not an object whose `type` is in the table of entry types") from error
    if not good or len(data) > MAX_ENTRY_BYTES:
        raise EntryInvalid(f"entry `{name}`: a field, a value or the spelling is not in the grammar of its type")
    return _made(Entry, (name, raw))


def format_time(at: datetime) -> str:
    """An aware time as entries spell it: UTC, cut to the millisecond."""
    if at.tzinfo is None:
        raise EntryInvalid("entry: a time needs a time zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def _explain(type: object, time: object, fields: Fields) -> NoReturn:
    """Raise for the first thing that is wrong. Values are not shown: one may be what must not stand in an entry."""
    if not isinstance(type, str) or type not in ENTRY_TYPES:
        raise EntryInvalid("entry: there is no such type; the types are in `docs/ledger.md`")
    if not isinstance(time, str) or not re.fullmatch(_TIME, time):
        raise EntryInvalid(f"entry `{type}`: the time must read like `2026-01-02T03:04:05.678Z`")
    row = ENTRY_TYPES[type]
    if missing := sorted(row.required - fields.keys()):
        raise EntryInvalid(f"entry `{type}`: lacks `{'`, `'.join(missing)}`")
    if strange := fields.keys() - row.required - row.optional:
        raise EntryInvalid(f"entry `{type}`: {len(strange)} of its fields are not in the table of entry types")
    for name, value in fields.items():
        if not _matches(FIELDS[name], value):
            raise EntryInvalid(f"entry `{type}`: `{name}` must be: {FIELDS[name].value}")
    raise EntryInvalid(f"entry `{type}`: not in the grammar")


def _matches(kind: Kind, value: object) -> bool:
    try:
        return re.fullmatch(_VALUES[kind].encode(), orjson.dumps(value)) is not None
    except TypeError:
        return False
