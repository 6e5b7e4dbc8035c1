"""Credentials that come back are found in every spelling, wherever a piece ends."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.doors.echo import Echo, EchoStream, credentials_in

SECRET = "sk-proj/aB3+x'Fgh&z=9\"<é>"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("authorization", "Bearer 0123456789", {"0123456789"}),
        ("authorization", "SSWS 0123456789", {"0123456789"}),
        ("authorization", "0123456789", {"0123456789"}),
        (
            "authorization",
            f"Basic {base64.b64encode(b'someone:their password').decode()}",
            {base64.b64encode(b"someone:their password").decode(), "someone:their password", "their password"},
        ),
        ("authorization", "Basic !!!not-base64", {"!!!not-base64"}),
        ("x-api-key", "0123456789", {"0123456789"}),
        ("X-API-KEY", "two words", {"two words"}),
        ("x-api-key", "short", set()),
        ("anthropic-version", "2023-06-01", set()),
        ("x-tenant", "the-tenant-of-all", set()),
        ("x-other", "a1b2c3d4e5f6a7b8", {"a1b2c3d4e5f6a7b8"}),
        ("COUNTS", "/tmp/a1b2c3d4e5f6a7b8", set()),
        ("CRM_URL", "https://crm.example.org/api1/and/more", set()),
        ("DB_URL", "db://app:pa%2Fssword1@db/crm", {"db://app:pa%2Fssword1@db/crm", "pa%2Fssword1", "pa/ssword1"}),
        ("DB_URL", "postgres://[", set()),
    ],
)  # fmt: skip
def test_what_is_secret(name, value, found):
    assert set(credentials_in([(name, value)])) == found


ESCAPE = re.compile("%[0-9A-F]{2}")
SPELLINGS = {
    "plain": SECRET,
    "escaped": quote(SECRET),
    "escaped whole": quote(SECRET, safe=""),
    "escaped in small letters": ESCAPE.sub(lambda one: one[0].lower(), quote(SECRET, safe="")),
    "form": quote_plus(SECRET),
    "query": urlencode({"key": SECRET}),
    "json": json.dumps({"key": SECRET}),
    "json of UTF-8": json.dumps({"key": SECRET}, ensure_ascii=False),
    "json with escaped slashes": json.dumps({"key": SECRET}).replace("/", "\\/"),
    "page": html.escape(SECRET),
    "hexadecimal": SECRET.encode().hex(),
    "hexadecimal capitals": SECRET.encode().hex().upper(),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(SECRET.encode()).decode(),
    "base64, one before": base64.b64encode(b"x" + SECRET.encode() + b"yz").decode(),
    "base64, two before": base64.b64encode(b"Bearer x" + SECRET.encode() + b"y").decode(),
    "json in base64": base64.b64encode(b'{"a": "' + SECRET.encode() + b'"}').decode(),
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_is_covered(spelling):
    data = f"before {spelling} after".encode()
    covered = Echo([SECRET]).cover(data)
    assert len(covered) == len(data)
    assert covered.startswith(b"before ")
    assert covered.endswith(b" after")
    rest = covered[7:-6].replace(b"*", b"").replace(b"0", b"")
    assert len(rest) <= 14, rest


def test_json_stays_json():
    covered = Echo([SECRET]).cover(json.dumps({"echo": {"authorization": f"Bearer {SECRET}"}, "n": 1}).encode())
    assert set(json.loads(covered)["echo"]["authorization"].removeprefix("Bearer ")) == {"*"}


def test_nothing_to_look_for():
    assert not Echo([])
    assert Echo([]).cover(b"as it is") == b"as it is"
    assert EchoStream(Echo([])).feed(b"as it is") == b"as it is"


def test_what_holds_none_is_the_same_object():
    data = b"nothing of it" * 1000
    assert Echo([SECRET]).cover(data) is data
    text = "nothing of it \ud800"
    assert Echo([SECRET]).text(text) is text


def test_a_repr_says_nothing():
    assert SECRET not in repr(Echo([SECRET]))


NOISE = st.text(alphabet="sk-proj/aB3+x 0*\n%2F", max_size=60)


@given(
    parts=st.lists(st.one_of(NOISE, st.sampled_from(sorted(SPELLINGS.values()))), max_size=6),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_pieces_are_covered_like_the_whole(parts, cuts):
    data = " ".join(parts).encode()
    stream, out, last = EchoStream(ECHO), b"", 0
    for cut in sorted(min(one, len(data)) for one in cuts):
        out += stream.feed(data[last:cut])
        last = cut
    out += stream.feed(data[last:]) + stream.finish()
    assert out == ECHO.cover(data)
    assert SECRET.encode() not in out
    assert stream.found == (out != data)


ECHO = Echo([SECRET])


@given(data=st.binary(max_size=200))
def test_one_byte_at_a_time_changes_nothing_else(data):
    stream = EchoStream(ECHO)
    assert b"".join(stream.feed(data[at : at + 1]) for at in range(len(data))) + stream.finish() == data


def test_an_event_is_not_held_back():
    assert EchoStream(ECHO).feed(b"data: s\n\n") == b"data: s\n\n"
