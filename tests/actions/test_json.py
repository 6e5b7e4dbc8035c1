"""The canonical form against the published one, and everything that has no exact form."""

from __future__ import annotations

import json
import math
import struct
from types import MappingProxyType

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from consentry.actions import NotExact, canonical, encode_bytes, parse, parse_object
from consentry.actions.json import MAX_DEPTH, MAX_INTEGER, TooLarge, _plainly
from consentry.errors import InvalidInput

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_INTEGER, MAX_INTEGER)
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not 2**53 <= abs(number) < 1e21)
    | TEXT
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUE)
def test_canonical_is_what_rfc8785_says(value: object) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.integers(0, 2**64 - 1))
def test_numbers_are_written_as_rfc8785_says_for_every_bit_pattern(bits: int) -> None:
    (number,) = struct.unpack(">d", bits.to_bytes(8))
    if math.isfinite(number) and not 2**53 <= abs(number) < 1e21:
        assert canonical(number) == rfc8785.dumps(number)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        # RFC 8785, appendix B
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-5e-324, "-5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (1.0000000000000001e23, "1.0000000000000001e+23"),
        (1e21, "1e+21"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.000001, "0.000001"),
        (333333333.3333332, "333333333.3333332"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
        (1424953923781206.2, "1424953923781206.2"),
    ],
)
def test_numbers_of_the_rfc(number: float, text: str) -> None:
    assert canonical(number).decode() == text


def test_keys_are_sorted_by_utf16_units() -> None:
    # RFC 8785, section 3.2.3: U+1F600 is the surrogate pair D83D DE00, which sorts before U+FB33
    value = {"\ufb33": 1, "\U0001f600": 2, "\r": 3, "1": 4}
    assert canonical(value) == '{"\\r":3,"1":4,"\U0001f600":2,"\ufb33":1}'.encode()


@given(VALUE)
def test_parse_reads_back_what_canonical_wrote(value: object) -> None:
    data = canonical(value)
    assert canonical(parse(data)) == data


def same(one: object, other: object) -> bool:
    """Equality as JSON has it: one number type, and no number is a boolean."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


@given(st.data())
def test_b13_distinct_values_never_collide(data: st.DataObject) -> None:
    one = data.draw(VALUE)
    other = data.draw(VALUE | st.sampled_from([one, [one], {"": one}, str(one), json.dumps(one)]))
    assert (canonical(one) == canonical(other)) == same(one, other)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(math.nan, id="nan"),
        pytest.param(math.inf, id="infinity"),
        pytest.param([-math.inf], id="nested-infinity"),
        pytest.param(2**53, id="beyond-2^53"),
        pytest.param({"n": -(2**53)}, id="below-minus-2^53"),
        pytest.param(10**400, id="huge-integer"),
        pytest.param(2.0**53, id="a-double-that-would-be-written-as-2^53"),
        pytest.param(-295147905179352830000.0, id="a-double-that-would-be-written-as-a-huge-integer"),
        pytest.param("\ud800", id="lone-surrogate"),
        pytest.param({"\udfff": 1}, id="lone-surrogate-in-a-key"),
        pytest.param({"é": "\ud800"}, id="lone-surrogate-beside-a-wide-key"),
        pytest.param({"f": 0.5, "s": "\udc00"}, id="lone-surrogate-beside-a-float"),
        pytest.param(b"bytes", id="bytes"),
        pytest.param([b"bytes"], id="nested-bytes"),
        pytest.param({1: "a"}, id="integer-key"),
        pytest.param({None: "a"}, id="null-key"),
        pytest.param({("a",): 1}, id="tuple-key"),
        pytest.param({"a": {1, 2}}, id="set"),
        pytest.param(object(), id="object"),
        pytest.param({"a": 1 + 2j}, id="complex"),
    ],
)
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    with pytest.raises(NotExact):
        canonical(value)


def nested(depth: int, kind: str) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value] if kind == "list" else {"a": value}
    return value


@pytest.mark.parametrize("kind", ["list", "object"])
def test_depth_is_limited_alike_when_reading_and_writing(kind: str) -> None:
    deepest = nested(MAX_DEPTH, kind)
    assert canonical(parse(json.dumps(deepest))) == canonical(deepest)
    with pytest.raises(NotExact, match="deeper"):
        canonical(nested(MAX_DEPTH + 1, kind))
    with pytest.raises(NotExact, match="deeper"):
        parse(json.dumps(nested(MAX_DEPTH + 1, kind)))


def test_a_very_deep_document_is_refused_not_a_crash() -> None:
    with pytest.raises(NotExact, match="deeper"):
        parse("[" * 200_000 + "]" * 200_000)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a":1,"a":2}', id="duplicate-key"),
        pytest.param('{"a":1,"\\u0061":2}', id="duplicate-key-in-two-spellings"),
        pytest.param('[{"b":{"a":1,"a":1}}]', id="nested-duplicate-key"),
        pytest.param("NaN", id="nan"),
        pytest.param("[Infinity]", id="infinity"),
        pytest.param("-Infinity", id="minus-infinity"),
        pytest.param("1e999", id="overflowing-number"),
        pytest.param("9007199254740992", id="2^53"),
        pytest.param("9007199254740992.0", id="2^53-as-a-decimal"),
        pytest.param("1e17", id="10^17-with-an-exponent"),
        pytest.param("-9007199254740992", id="minus-2^53"),
        pytest.param("1" * 5000, id="more-digits-than-python-converts"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(NotExact):
        parse(text)


@pytest.mark.parametrize("text", ['"\\ud800"', '{"\\udc00":1}', '["a\\udfffb"]'])
def test_lone_surrogates_are_refused_when_read(text: str) -> None:
    with pytest.raises(NotExact):
        parse(text)


@pytest.mark.parametrize("data", [b"\xff", b'"\xc3"', b"{", b"", b"{}{}", b"'a'", b"[1,]", b'"\t"', b"\xef\xbb\xbf{}"])
def test_what_is_not_json_is_invalid_input(data: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse(data)


@given(st.binary(max_size=60))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        value = parse(data)
    except InvalidInput:
        return
    assert canonical(parse(canonical(value))) == canonical(value)


def spelled(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Texts of arrays and of objects, in which a key may stand twice."""
    pairs = st.tuples(st.sampled_from(['"a"', '"b"', '"\\u0061"', '"é"']), inner).map(":".join)
    return st.lists(inner, max_size=3).map(lambda each: f"[{','.join(each)}]") | st.lists(pairs, max_size=3).map(
        lambda each: f"{{{','.join(each)}}}"
    )


SPELLINGS = st.sampled_from(
    ["0", "-0", "1", "1.0", "1e2", "0.5", "9007199254740991", "9007199254740992", "18446744073709551616", "true",
     "null", "NaN", '""', '"a"', '"\\n"', '"\\u0001"', '"\\ud800"', '"\x7f"', '" "', " 1", '"0.5"', '"3e8"'],
)  # fmt: skip


@given(st.recursive(SPELLINGS, spelled, max_leaves=8))
def test_bytes_read_as_text_does_whichever_way_is_taken(text: str) -> None:
    def outcome(data: bytes | str) -> object:
        try:
            return parse(data)
        except InvalidInput as error:
            return error.code

    found, expected = outcome(text.encode()), outcome(text)
    assert repr(found) == repr(expected)  # which tells 1 from 1.0 and True


@pytest.mark.parametrize("plain", [b'{"a":1,"b":[true,null,"x"]}', b"[]", b'{"n":9007199254740991}', b'"\\u0001"'])
def test_the_plain_spelling_takes_the_short_way(plain: bytes) -> None:
    assert _plainly(plain) == json.loads(plain)


@pytest.mark.parametrize(
    "other", [b'{"a": 1}', b'{"a":1,"a":1}', b"[1.5]", b'{"n":9007199254740992}', b"[NaN]", b"[-0]", b"[1", b"[" * 65]
)
def test_every_other_spelling_takes_the_long_way(other: bytes) -> None:
    assert _plainly(other) is None


def test_the_limit_is_in_bytes() -> None:
    assert parse('"é"', limit=4) == "é"
    with pytest.raises(TooLarge):
        parse('"é"', limit=3)
    with pytest.raises(TooLarge):
        parse('"é"'.encode(), limit=3)


def test_errors_do_not_quote_the_input() -> None:
    secret = "hunter2-hunter2"
    for call in (
        lambda: parse(f'{{"{secret}": 1, "{secret}": 2}}'),
        lambda: parse(f'{{"a": "{secret}'),
        lambda: canonical({"a": [secret, b"x"]}),
        lambda: canonical({secret: "\ud800"}),
        lambda: canonical({secret: 2**60}),
    ):
        with pytest.raises(InvalidInput) as caught:
            call()
        assert secret not in str(caught.value)


def test_an_object_is_asked_for() -> None:
    assert parse_object("{}") == {}
    with pytest.raises(InvalidInput, match="must be a JSON object"):
        parse_object("[]")


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_b13_bytes_travel_without_collisions(one: bytes, other: bytes) -> None:
    assert (canonical(encode_bytes(one)) == canonical(encode_bytes(other))) == (one == other)


def test_mappings_of_other_types_are_written_as_objects() -> None:
    assert canonical({"a": MappingProxyType({"b": 1})}) == b'{"a":{"b":1}}'
