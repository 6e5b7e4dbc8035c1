"""F5: values under escapes, encodings, full-width digits, joiners and look-alikes, with spans on the original."""

from __future__ import annotations

import base64
import itertools
import json
from functools import cache
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize import Sanitizer
from consentry.sanitize.normalize import plain, unescaped, views
from consentry.sanitize.patterns.pattern import SEPARATOR

FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
ARABIC = str.maketrans("0123456789", "٠١٢٣٤٥٦٧٨٩")


@cache
def sanitizer() -> Sanitizer:
    return Sanitizer.default(names=False, secrets=False)


def percent(text: str) -> str:
    return "".join(f"%{ord(one):02X}" for one in text)


def json_escaped(text: str) -> str:
    return "".join(f"\\u{ord(one):04x}" for one in text)


def entities(text: str) -> str:
    return "".join(f"&#{ord(one)};" for one in text)


def in_base64(text: str) -> str:
    return base64.b64encode(f"user={text};".encode()).decode()


HIDDEN = [
    ("ada＠example.org", "EMAIL_ADDRESS"),
    ("ａｄａ@ｅｘａｍｐｌｅ．ｏｒｇ", "EMAIL_ADDRESS"),
    ("a\u200bda@exam\u200dple.org", "EMAIL_ADDRESS"),
    ("ada@exаmple.org", "EMAIL_ADDRESS"),
    ("аdа@example.org", "EMAIL_ADDRESS"),
    ("ada@example.\u00adorg", "EMAIL_ADDRESS"),
    ("𝐚𝐝𝐚@example.org", "EMAIL_ADDRESS"),
    ("ada%40example.org", "EMAIL_ADDRESS"),
    ("ada\\u0040example.org", "EMAIL_ADDRESS"),
    ("ada&#64;example.org", "EMAIL_ADDRESS"),
    ("ada&#x40;example.org", "EMAIL_ADDRESS"),
    ("ada&commat;example.org", "EMAIL_ADDRESS"),
    (percent("ada@example.org"), "EMAIL_ADDRESS"),
    (json_escaped("ada@example.org"), "EMAIL_ADDRESS"),
    (entities("ada@example.org"), "EMAIL_ADDRESS"),
    ("4111 1111 1111 1111".translate(FULL_WIDTH), "CREDIT_CARD"),
    ("4111 1111 1111 1111".translate(ARABIC), "CREDIT_CARD"),
    ("4111\u00a01111\u00a01111\u00a01111", "CREDIT_CARD"),
    ("4111\u200b1111\u200b1111\u200b1111", "CREDIT_CARD"),
    ("078‑05‑1123", "US_SSN"),
    ("078%2D05%2D1123", "US_SSN"),
    ("GB82&nbsp;WEST&nbsp;1234&nbsp;5698&nbsp;7654&nbsp;32", "IBAN_CODE"),
]


@pytest.mark.parametrize(("value", "entity"), HIDDEN)
@pytest.mark.parametrize("around", ["{}", "write to {} today", "é {} ü", '{{"to": "{}"}}'])
def test_f5_a_hidden_value_is_found_where_it_stands(value: str, entity: str, around: str) -> None:
    text = around.format(value)
    start = text.index(value)
    spans = [(one.start, one.end) for one in sanitizer().scan(text) if one.type == entity]
    assert spans == [(start, start + len(value))]


@pytest.mark.parametrize("value", ["ada@example.org", "4111111111111111", "GB82WEST12345698765432"])
def test_f5_a_value_in_base64_is_covered(value: str) -> None:
    for pad in range(3):
        wrapped = in_base64("x" * pad + " " + value)
        text = f"blob: {wrapped} end"
        [one] = [one for one in sanitizer().scan(text) if one.type != "URL"]
        left = text[: one.start].removeprefix("blob: ") + "A" * (one.end - one.start) + text[one.end : -len(" end")]
        assert value[3:-3].encode() not in base64.b64decode(left)


def test_f5_a_json_string_keeps_its_escapes_out_of_the_value() -> None:
    text = json.dumps({"to": "line\nada@example.org\nbob@example.org"})
    found = [text[one.start : one.end] for one in sanitizer().scan(text)]
    assert all("ada@example.org" in one or "bob@example.org" in one for one in found)
    assert len(found) == 2


@pytest.mark.parametrize("levels", [0, 1, 2])
@pytest.mark.parametrize("inner", ["ada\\u0040example.org", 'to "ada\\u0040example.org" now'])
def test_f5_a_value_in_json_in_json_in_json_is_found_where_it_stands(levels: int, inner: str) -> None:
    text = inner
    for _ in range(levels):
        text = json.dumps({"body": text})
    start = text.index("ada")
    spans = [(one.start, one.end) for one in sanitizer().scan(text) if one.type == "EMAIL_ADDRESS"]
    assert spans == [(start, text.index("example.org") + len("example.org"))]


def test_a_run_of_base64_that_is_cut_short_ends_with_the_text() -> None:
    text = in_base64("ada@example.org").rstrip("=;")
    [found] = [one for one in sanitizer().scan(text) if one.type == "EMAIL_ADDRESS"]
    assert found.end <= len(text)


@given(
    st.lists(st.sampled_from(["\\\\", "\\u0041", "\\u200b", "\\n", "u0041", "%41", "%4", "&#65;", "&", ";", "x", "é"]))
)
def test_characters_that_show_nothing_move_no_other(parts: list[str]) -> None:
    text = "".join(parts)
    view = unescaped(plain(text))
    if view is not None:
        spans = [view.span(at, at + 1) for at, char in enumerate(view.text) if char != SEPARATOR]
        assert all(0 <= start < end <= len(text) for start, end in spans)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


def test_plain_ascii_has_one_view_and_it_is_the_text() -> None:
    text = "nothing to decode here, 100 of it; not even a (percent) sign"
    [view] = views(text)
    assert view.text is text
    assert view.span(3, 9) == (3, 9)


def test_words_of_another_script_stay_as_they_are() -> None:
    text = "Роса и оса; почта: дождь@пример.рф"
    assert plain(text).text == text


@given(st.text())
def test_the_plain_view_leads_back_into_the_text(text: str) -> None:
    view = plain(text)
    for at in range(len(view.text)):
        start, end = view.span(at, at + 1)
        assert 0 <= start < end <= len(text)


@given(st.text(), st.text())
def test_what_is_decoded_leads_back_to_its_escapes(before: str, after: str) -> None:
    text = f"{before} {quote('ada@example.org', safe='')} {after}"
    view = unescaped(plain(text))
    assert view is not None
    at = view.text.index("ada@example.org")
    start, end = view.span(at, at + len("ada@example.org"))
    assert text[start:end] == "ada%40example.org"
