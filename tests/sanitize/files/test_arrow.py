"""Record batches of every shape: what is found is gone, the rest is equal, and nothing hides."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize import profiles
from consentry.sanitize.files.arrow import clean_batch, plan_batches
from consentry.sanitize.files.arrow_schema import clean_schema
from consentry.sanitize.files.cleaner import Cleaner
from consentry.sanitize.files.problems import FileUnreadable

MAIL = "ada@lovelace.org"
TOKEN = b"lovelace"


def swept(batch: pa.RecordBatch, cleaner: Cleaner) -> pa.RecordBatch:
    return clean_batch(batch, cleaner, plan_batches([batch], cleaner))


def raw(batch: pa.RecordBatch) -> bytes:
    """Every byte that an IPC stream of the batch and its buffers hold."""

    def buffers(array: pa.Array) -> bytes:
        own = b"".join(b.to_pybytes() for b in array.buffers() if b is not None)
        return own + (buffers(array.dictionary) if isinstance(array, pa.DictionaryArray) else b"")

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes() + b"".join(buffers(column) for column in batch.columns)


TEXT = ["plain", MAIL, None, "", f"write to {MAIL} now"]
CLEAN = ["plain", "<EMAIL_ADDRESS>", None, "", "write to <EMAIL_ADDRESS> now"]


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary(), pa.binary_view()],
    ids=str,
)
def test_text_of_every_layout(kind: pa.DataType, cleaner: Cleaner) -> None:
    array = pa.array(TEXT).cast(kind)
    out = swept(pa.record_batch({"note": array}), cleaner).column(0)
    assert out.type == kind
    assert out.cast(pa.large_binary()).cast(pa.string()).to_pylist() == CLEAN


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pa.array([[MAIL, "x"], None, [], ["y"]]), [["<EMAIL_ADDRESS>", "x"], None, [], ["y"]]),
        (pa.array([[MAIL], None], pa.large_list(pa.string())), [["<EMAIL_ADDRESS>"], None]),
        (pa.array([[MAIL, "x"], None], pa.list_(pa.string(), 2)), [["<EMAIL_ADDRESS>", "x"], None]),
        (pa.array([[MAIL, "x"], ["z"]], pa.list_view(pa.string())), [["<EMAIL_ADDRESS>", "x"], ["z"]]),
        (
            pa.array([{"a": {"b": MAIL}, "n": 1}, None, {"a": None, "n": 2}]),
            [{"a": {"b": "<EMAIL_ADDRESS>"}, "n": 1}, None, {"a": None, "n": 2}],
        ),
        (
            pa.array([[("k", MAIL), (MAIL, "v")], None, []], pa.map_(pa.string(), pa.string())),
            [[("k", "<EMAIL_ADDRESS>"), ("<EMAIL_ADDRESS>", "v")], None, []],
        ),
        (pa.array([[{"b": [MAIL]}], [{"b": None}, None]]), [[{"b": ["<EMAIL_ADDRESS>"]}], [{"b": None}, None]]),
        (pa.array([MAIL, "x", MAIL, None]).dictionary_encode(), ["<EMAIL_ADDRESS>", "x", "<EMAIL_ADDRESS>", None]),
        (pa.compute.run_end_encode(pa.array(["x", "x", MAIL])), ["x", "x", "<EMAIL_ADDRESS>"]),
    ],
    ids=["list", "large_list", "fixed_list", "list_view", "struct", "map", "deep", "dictionary", "run_end"],
)
def test_nested_columns(array: pa.Array, expected: list[object], cleaner: Cleaner) -> None:
    out = swept(pa.record_batch({"c": array}), cleaner).column(0)
    out.validate(full=True)
    assert out.type == array.type
    assert out.to_pylist() == expected
    sliced = swept(pa.record_batch({"c": array.slice(1)}), cleaner).column(0)
    sliced.validate(full=True)
    assert sliced.to_pylist() == expected[1:]


def test_f1_dictionaries_keep_only_values_that_rows_use(cleaner: Cleaner) -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 0, None], pa.int8()), pa.array(["x", MAIL]))
    out = swept(pa.record_batch({"c": array}), cleaner)
    assert out.column(0).type == array.type
    assert out.column(0).to_pylist() == ["x", "x", None]
    assert TOKEN not in raw(out)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary()], ids=str)
def test_f1_nothing_hides_under_nulls(kind: pa.DataType, cleaner: Cleaner) -> None:
    full = pa.array(["x", MAIL, "y"], kind)
    validity = pa.py_buffer(bytes([0b101]))
    array = pa.Array.from_buffers(kind, 3, [validity, *full.buffers()[1:]])
    out = swept(pa.record_batch({"c": array}), cleaner)
    assert out.column(0).null_count == 1
    assert TOKEN not in raw(out)


def test_f1_nothing_hides_in_numbers_under_nulls(cleaner: Cleaner) -> None:
    secret = 4111111111111111
    array = pa.Array.from_buffers(
        pa.int64(), 2, [pa.py_buffer(bytes([0b01])), pa.py_buffer(np.array([7, secret], dtype=np.int64).tobytes())]
    )
    out = swept(pa.record_batch({"c": array}), cleaner)
    assert out.column(0).to_pylist() == [7, None]
    assert secret.to_bytes(8, "little") not in raw(out)


def test_f1_nothing_hides_outside_a_slice_or_under_a_null_struct(cleaner: Cleaner) -> None:
    sliced = pa.array(["x", "y", MAIL]).slice(0, 2)
    struct = pa.StructArray.from_arrays([pa.array(["a", MAIL])], ["b"], mask=pa.array([False, True]))
    out = swept(pa.record_batch({"c": sliced, "s": struct}), cleaner)
    assert TOKEN not in raw(out)
    assert out.to_pylist() == [{"c": "x", "s": {"b": "a"}}, {"c": "y", "s": None}]


def test_f2_metadata_of_every_field_is_gone(cleaner: Cleaner) -> None:
    inner = pa.field("b", pa.string(), metadata={"owner": MAIL})
    schema = pa.schema(
        [pa.field("a", pa.struct([inner]), metadata={"sample": MAIL}), pa.field(MAIL, pa.int32())],
        metadata={"pandas": f'{{"attrs": "{MAIL}"}}', "huggingface": MAIL},
    )
    batch = pa.RecordBatch.from_arrays(
        [pa.array([{"b": "x"}], schema.field(0).type), pa.array([1], pa.int32())], schema=schema
    )
    out = swept(batch, cleaner)
    assert TOKEN not in raw(out)
    assert out.schema.names == ["a", "<EMAIL_ADDRESS>"]


def test_columns_named_like_a_type_are_taken_whole(cleaner: Cleaner) -> None:
    batch = pa.record_batch(
        {"first_name": ["Ada", "Grace", None], "last_name": ["L", "H", ""], "email": [MAIL, None, None]}
    )
    out = swept(batch, cleaner).to_pydict()
    assert out["first_name"] == ["<PERSON>", "<PERSON>", None]
    assert out["last_name"] == ["<PERSON>", "<PERSON>", ""]


def test_numbers_that_are_cards_become_null_or_stay_cards(cleaner_for: Callable[[str], Cleaner]) -> None:
    values = [4111111111111111, 7, None, 4111111111111112]
    for kind in (pa.int64(), pa.uint64(), pa.float64(), pa.decimal128(20, 0)):
        array = pa.array(
            [None if v is None else decimal.Decimal(v) if pa.types.is_decimal(kind) else v for v in values], kind
        )
        out = swept(pa.record_batch({"n": array}), cleaner_for("default")).column(0)
        assert out.type == kind
        assert out.to_pylist()[0] is None
        assert out.to_pylist()[1:] == array.to_pylist()[1:]
    fpe = cleaner_for("\n[types.CREDIT_CARD]\ntransform = 'fpe'")
    out = swept(pa.record_batch({"n": pa.array(values, pa.int64())}), fpe).column(0).to_pylist()
    assert out[0] not in (None, values[0])
    assert out[0] is not None
    assert len(str(out[0])) == 16


def test_typed_dates_are_made_coarse_moved_or_dropped(cleaner_for: Callable[[str], Cleaner]) -> None:
    days = [dt.date(1971, 3, 8), None]
    batch = pa.record_batch({"birthdate": pa.array(days), "customer": ["a", "b"]})
    assert swept(batch, cleaner_for("training-data")).column(0).to_pylist() == [dt.date(1971, 3, 1), None]
    assert swept(batch, cleaner_for("default")).column(0).to_pylist() == [None, None]
    moving = cleaner_for("subject = 'customer'\n[types.DATE_TIME]\ntransform = 'date-shift'\ndays = 30")
    for kind in (pa.date32(), pa.date64(), pa.timestamp("us"), pa.timestamp("ns", "Europe/Paris")):
        column = pa.array([dt.date(1971, 3, 8)] * 3).cast(pa.timestamp("us")).cast(kind)
        moved = swept(pa.record_batch({"birthdate": column, "customer": ["a", "a", "b"]}), moving).column(0)
        assert moved.type == kind
        assert moved[0] == moved[1]
        assert moved[0] != column[0]


def test_bytes_that_are_no_text_are_refused_or_dropped(cleaner_for: Callable[[str], Cleaner]) -> None:
    batch = pa.record_batch({"blob": pa.array([b"\xff\xfe", b"ok"])})
    with pytest.raises(FileUnreadable, match="blob"):
        swept(batch, cleaner_for("default"))
    assert swept(batch, cleaner_for("\nbinary = 'null'")).column(0).to_pylist() == [None, None]
    assert swept(batch, cleaner_for("\nbinary = 'keep'")).column(0).to_pylist() == [b"\xff\xfe", b"ok"]


def test_strings_that_are_not_utf8_are_refused(cleaner: Cleaner) -> None:
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff\xfe"]).buffers())
    with pytest.raises(FileUnreadable, match="not UTF-8"):
        swept(pa.record_batch({"c": bad}), cleaner)


def test_unions_are_refused(cleaner: Cleaner) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([MAIL])])
    with pytest.raises(FileUnreadable, match="union"):
        swept(pa.record_batch({"c": union}), cleaner)


def test_declared_columns_rule(cleaner_for: Callable[[str], Cleaner]) -> None:
    cleaner = cleaner_for("[columns]\nnote = 'keep'\ncode = 'INTERNAL_ID'\nfirst_name = 'scan'")
    batch = pa.record_batch({"note": [MAIL], "code": ["x1"], "first_name": ["Ada"]})
    assert swept(batch, cleaner).to_pylist() == [{"note": MAIL, "code": "<INTERNAL_ID>", "first_name": "Ada"}]


def test_an_empty_batch_and_no_columns(cleaner: Cleaner) -> None:
    empty = pa.record_batch({"c": pa.array([], pa.string()), "d": pa.array([], pa.list_(pa.string()))})
    assert swept(empty, cleaner).equals(empty)


_values = st.one_of(st.none(), st.text(max_size=8), st.just(MAIL), st.just("call +1 415 555 2671"), st.just("<PERSON>"))
_kinds = st.sampled_from(
    [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.list_(pa.string())]
)
_CLEANERS = dict.fromkeys(("default", "training-data", "logs"))


@given(st.lists(_values, max_size=40), _kinds, st.sampled_from(sorted(_CLEANERS)), st.integers(0, 5))
def test_twice_is_once_and_clean_values_are_equal(
    make_cleaner: Callable[[object], Cleaner], values: list[str | None], kind: pa.DataType, name: str, skip: int
) -> None:
    # Tables off: a column of which most values are one type is taken for that type as a whole, clean values too.
    cleaner = make_cleaner(replace(profiles.load(name), tables=False))
    rows = [None if v is None else [v, v] for v in values] if pa.types.is_list(kind) else values
    array = pa.array(rows, pa.list_(pa.string())) if pa.types.is_list(kind) else pa.array(rows, pa.string()).cast(kind)
    batch = pa.record_batch({"note": array.slice(skip)})
    once = swept(batch, cleaner)
    once.validate(full=True)
    assert once.schema.field(0).type == kind
    assert swept(once, cleaner).equals(once)
    assert TOKEN not in raw(once)
    for old, new in zip(batch.column(0).to_pylist(), once.column(0).to_pylist(), strict=True):
        text = old[0] if isinstance(old, list) else old
        if text is None or ("@" not in text and "+1 " not in text):
            assert new == old


def test_f2_names_at_any_depth_hold_no_value(cleaner: Cleaner) -> None:
    inner = pa.list_(pa.field(MAIL, pa.int64()))
    kinds = [
        pa.struct([pa.field(MAIL, pa.int64()), pa.field("b", inner)]),
        pa.large_list(pa.field(MAIL, pa.int64())),
        pa.list_(pa.field(MAIL, pa.int64()), 2),
        pa.list_view(pa.field(MAIL, pa.int64())),
        pa.map_(pa.field(MAIL, pa.string(), nullable=False), pa.field(MAIL, pa.int64())),
        pa.timestamp("us", tz=MAIL),
    ]
    rows: list[list[object]] = [[{MAIL: 1, "b": [2]}], [[1]], [[1, 2]], [[1]], [[("k", 1)]], [0]]
    columns = [
        pa.array(row, pa.int64()).cast(kind) if row == [0] else pa.array(row, kind)
        for row, kind in zip(rows, kinds, strict=True)
    ]
    batch = pa.record_batch(columns, names=[f"c{at}" for at in range(len(kinds))])
    out = swept(batch, cleaner)
    assert TOKEN not in raw(out)
    assert str(out.schema).count("<EMAIL_ADDRESS>") >= 5
    assert out.column(5).type.tz == "UTC"
    assert out.column(0).to_pylist() == [{"<EMAIL_ADDRESS>": 1, "b": [2]}]
    empty = clean_schema(batch.schema, cleaner)
    assert TOKEN not in str(empty).encode()


def test_f2_extension_types_that_hold_texts_are_written_as_their_storage(cleaner: Cleaner) -> None:
    opaque = pa.ExtensionArray.from_storage(pa.opaque(pa.string(), MAIL, MAIL), pa.array(["x"]))
    tensor = pa.ExtensionArray.from_storage(
        pa.fixed_shape_tensor(pa.int32(), [2], dim_names=[MAIL]), pa.array([[1, 2]], pa.list_(pa.int32(), 2))
    )
    plain = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8()))
    out = swept(pa.record_batch([opaque, tensor, plain], names=["o", "t", "b"]), cleaner)
    assert TOKEN not in raw(out)
    assert out.schema.types == [pa.string(), pa.list_(pa.int32(), 2), pa.bool8()]


@pytest.mark.parametrize(
    "build",
    [
        lambda values: pc.run_end_encode(pa.array(values)),
        lambda values: pa.array([[one] for one in values], pa.list_view(pa.int64())),
        lambda values: pa.array([[one] for one in values], pa.large_list_view(pa.int64())),
        lambda values: pa.array([[one] for one in values], pa.list_(pa.int64(), 1)),
        lambda values: pa.array([[("ssn", one)] for one in values], pa.map_(pa.string(), pa.int64())),
        lambda values: pa.array([[("ssn", str(one))] for one in values], pa.map_(pa.string(), pa.string())),
    ],
)
def test_e1_columns_of_any_nesting_are_judged_by_name(build: Callable[[list[int]], pa.Array], cleaner: Cleaner) -> None:
    column = build([536904399, 536904398, 536904399])
    out = swept(pa.record_batch({"ssn": column}), cleaner)
    out.validate(full=True)
    assert "53690439" not in str(out.to_pylist())
    assert out.column(0).type == column.type


def test_values_of_maps_stay_with_their_keys(cleaner: Cleaner) -> None:
    rows = [[("a", "1"), ("b", MAIL)], None, [], [("b", "2"), ("c", None), ("a", "3")]]
    column = pa.array(rows, pa.map_(pa.string(), pa.string()))
    expected = [[("a", "1"), ("b", "<EMAIL_ADDRESS>")], None, [], [("b", "2"), ("c", None), ("a", "3")]]
    assert swept(pa.record_batch({"m": column}), cleaner).column(0).to_pylist() == expected
    many = [[(f"k{at}", MAIL) for at in range(300)]]
    out = swept(pa.record_batch({"m": pa.array(many, pa.map_(pa.string(), pa.string()))}), cleaner)
    assert out.column(0).to_pylist() == [[(f"k{at}", "<EMAIL_ADDRESS>") for at in range(300)]]


def test_a_dictionary_of_structs_is_refused_by_name(cleaner: Cleaner) -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0]), pa.array([{"a": MAIL}]))
    with pytest.raises(FileUnreadable, match="`c` is a dictionary of nested values"):
        swept(pa.record_batch({"c": column}), cleaner)
