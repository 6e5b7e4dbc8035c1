"""The grammar of entries: one spelling each, nothing outside the table, and nothing that could hold free text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.ledger.entry import decode_entry, encode_entry, format_time
from consentry.ledger.entry_types import ENTRY_TYPES, FIELDS, EntryType, Kind
from consentry.ledger.errors import EntryInvalid

TIME = "2026-01-02T03:04:05.678Z"
_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}", fullmatch=True)
_HEX = st.binary(min_size=32, max_size=32).map(bytes.hex)
_TIMES = st.datetimes(timezones=st.just(UTC)).map(format_time)
VALUES: dict[Kind, st.SearchStrategy[object]] = {
    Kind.ID: _IDS,
    Kind.IDS: st.lists(_IDS, max_size=4),
    Kind.DIGEST: _HEX,
    Kind.COMMITMENT: _HEX,
    Kind.TIME: _TIMES,
    Kind.COUNT: st.integers(0, 10**15 - 1),
    Kind.VKEY: st.just("example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"),
    Kind.BYTES: st.from_regex(r"[A-Za-z0-9_-]{1,200}", fullmatch=True),
    Kind.DECISION: st.sampled_from(["approve", "deny"]),
    Kind.STATUS: st.sampled_from(["succeeded", "failed", "unknown"]),
    Kind.LEVEL: st.sampled_from(["L0", "L1", "L2", "L3"]),
    Kind.GAP: st.sampled_from(["torn", "missing", "uncertain"]),
}
LONG = ["p" * 128] * 256
STANDING = {"standing": "st_1", "operation": "sql.select", "pattern": "d" * 64, "uses": 1, "expires": TIME}
GRANT = {"grant": "gr_1", "action": "act_1", "digest": "d" * 64, "uses": 1}


@st.composite
def entries(draw: st.DrawFn) -> tuple[str, str, dict[str, object]]:
    row: EntryType = draw(st.sampled_from(sorted(ENTRY_TYPES.values(), key=lambda r: r.name)))
    extra = draw(st.sets(st.sampled_from(sorted(row.optional)))) if row.optional else set()
    return row.name, draw(_TIMES), {name: draw(VALUES[FIELDS[name]]) for name in sorted(row.required | extra)}


@given(entries())
def test_every_type_round_trips_in_one_spelling(entry: tuple[str, str, dict]) -> None:
    name, time, fields = entry
    data = encode_entry(name, time, fields)
    whole = {**fields, "v": 1, "type": name, "time": time}
    assert data == json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    read = decode_entry(data)
    assert (read.type, read.time, read.fields) == (name, time, whole)


@given(entries(), st.data())
def test_one_changed_bit_is_another_entry_or_none(entry: tuple[str, str, dict], data: st.DataObject) -> None:
    good = encode_entry(*entry)
    bit = data.draw(st.integers(0, len(good) * 8 - 1))
    changed = bytearray(good)
    changed[bit // 8] ^= 1 << bit % 8
    try:
        read = decode_entry(bytes(changed))
    except EntryInvalid:
        return
    fields = {name: value for name, value in read.fields.items() if name not in ("v", "type", "time")}
    assert encode_entry(read.type, read.time, fields) == bytes(changed), "two spellings of one entry"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(EntryInvalid):
        decode_entry(data)


@pytest.mark.parametrize(
    ("defect", "data"),
    [
        ("white space", b'{"grant":"gr_1", "time":"TIME","type":"grant.expired","v":1}'),
        ("unsorted", b'{"time":"TIME","grant":"gr_1","type":"grant.expired","v":1}'),
        ("duplicate key", b'{"grant":"gr_1","grant":"gr_1","time":"TIME","type":"grant.expired","v":1}'),
        ("escape", b'{"grant":"gr\\u005f1","time":"TIME","type":"grant.expired","v":1}'),
        ("trailing newline", b'{"grant":"gr_1","time":"TIME","type":"grant.expired","v":1}\n'),
        ("other version", b'{"grant":"gr_1","time":"TIME","type":"grant.expired","v":2}'),
        ("float version", b'{"grant":"gr_1","time":"TIME","type":"grant.expired","v":1.0}'),
        ("no version", b'{"grant":"gr_1","time":"TIME","type":"grant.expired"}'),
        ("null", b'{"grant":null,"time":"TIME","type":"grant.expired","v":1}'),
        ("unknown type", b'{"grant":"gr_1","time":"TIME","type":"grant.lost","v":1}'),
        ("type is a list", b'{"grant":"gr_1","time":"TIME","type":["grant.expired"],"v":1}'),
        ("unknown field", b'{"grant":"gr_1","note":"x","time":"TIME","type":"grant.expired","v":1}'),
        ("required field missing", b'{"time":"TIME","type":"grant.expired","v":1}'),
        ("byte order mark", b'\xef\xbb\xbf{"grant":"gr_1","time":"TIME","type":"grant.expired","v":1}'),
        ("not UTF-8", b'{"grant":"gr\xff","time":"TIME","type":"grant.expired","v":1}'),
        ("a list", b"[]"),
        ("deep", b"[" * 100_000),
    ],
)
def test_other_spellings_are_refused(defect: str, data: bytes) -> None:
    good = b'{"grant":"gr_1","time":"' + TIME.encode() + b'","type":"grant.expired","v":1}'
    assert decode_entry(good).text("grant") == "gr_1"
    with pytest.raises(EntryInvalid):
        decode_entry(data.replace(b"TIME", TIME.encode()))


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("uses", 1.0, "`uses` must be: count"),
        ("uses", True, "`uses` must be: count"),
        ("uses", -1, "`uses` must be: count"),
        ("uses", 10**15, "`uses` must be: count"),
        ("uses", float("nan"), "`uses` must be: count"),
        ("digest", "D" * 64, "`digest` must be: digest"),
        ("digest", "d" * 63, "`digest` must be: digest"),
        ("grant", None, "`grant` must be: id"),
        ("grant", "", "`grant` must be: id"),
        ("grant", "g" * 129, "`grant` must be: id"),
        ("grant", "two words", "`grant` must be: id"),
        ("grant", 'gr","uses":9,"x":"', "`grant` must be: id"),
        ("grant", "gr\n", "`grant` must be: id"),
        ("grant", ["gr_1"], "`grant` must be: id"),
        ("grant", "\ud800", "`grant` must be: id"),
        ("expires", "2026-01-02T03:04:05Z", "`expires` must be: time"),
        ("expires", "2026-13-02T03:04:05.678Z", "`expires` must be: time"),
        ("note", "x", "1 of its fields are not in the table"),
        ("type", "grant.expired", "1 of its fields are not in the table"),
        ("v", 1, "1 of its fields are not in the table"),
        ("time", TIME, "1 of its fields are not in the table"),
    ],
)
def test_values_outside_the_grammar_are_refused(field: str, value: object, told: str) -> None:
    with pytest.raises(EntryInvalid, match=told):
        encode_entry("grant.opened", TIME, {**GRANT, field: value})  # type: ignore[dict-item]


def test_types_times_and_missing_fields_are_refused() -> None:
    with pytest.raises(EntryInvalid, match="no such type"):
        encode_entry("grant.lost", TIME, GRANT)
    with pytest.raises(EntryInvalid, match="time must read"):
        encode_entry("grant.opened", "yesterday", GRANT)
    with pytest.raises(EntryInvalid, match="lacks `action`, `digest`"):
        encode_entry("grant.opened", TIME, {"grant": "gr_1", "uses": 1})
    with pytest.raises(EntryInvalid, match="fit"):
        encode_entry("standing.created", TIME, {**STANDING, "approvers": LONG, "groups": LONG})


def test_g3_no_field_can_hold_a_secret_or_personal_data() -> None:
    for value in ("jane@example.com", "Jane Doe", "Bearer abc==", "+49 30 1234", "sk_live+x", "p\u00e9"):
        for kind in (Kind.ID, Kind.IDS, Kind.DIGEST, Kind.COMMITMENT, Kind.TIME, Kind.VKEY):
            name = next(n for n, k in FIELDS.items() if k is kind)
            row = next(r for r in ENTRY_TYPES.values() if name in r.required | r.optional)
            fields: dict[str, object] = {n: _example(FIELDS[n]) for n in row.required}
            fields[name] = [value] if kind is Kind.IDS else value
            with pytest.raises(EntryInvalid) as refused:
                encode_entry(row.name, TIME, fields)  # type: ignore[arg-type]
            assert value not in str(refused.value)


def _example(kind: Kind) -> object:
    return {
        Kind.ID: "x",
        Kind.IDS: ["x"],
        Kind.TIME: TIME,
        Kind.COUNT: 1,
        Kind.VKEY: "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        Kind.DECISION: "approve",
        Kind.STATUS: "failed",
        Kind.LEVEL: "L1",
        Kind.GAP: "torn",
    }.get(kind, "a" * 64)


def test_table_is_whole() -> None:
    used = {name for row in ENTRY_TYPES.values() for name in row.required | row.optional}
    assert used <= FIELDS.keys()
    assert FIELDS.keys() <= used, "a field that no type has"
    assert not used & {"v", "type", "time"}
    for row in ENTRY_TYPES.values():
        assert row.meaning
        assert not row.required & row.optional
        assert all(part.replace("_", "").isalpha() and part.islower() for part in row.name.split("."))


def test_times() -> None:
    assert format_time(datetime(2026, 1, 2, 3, 4, 5, 678_999, UTC)) == TIME
    assert format_time(datetime(2026, 1, 2, 5, 4, 5, 678_000, timezone(timedelta(hours=2)))) == TIME
    with pytest.raises(EntryInvalid, match="zone"):
        format_time(datetime(2026, 1, 2))  # noqa: DTZ001
