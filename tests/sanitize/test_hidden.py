"""Values behind escapes of escapes, byte escapes, colours and control characters."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from consentry.sanitize import Sanitizer

MAIL = "ada@lovelace-engines.com"
TWICE = quote(quote(MAIL, safe=""), safe="")


@pytest.fixture(scope="module")
def sanitizer() -> Sanitizer:
    return Sanitizer.default(names=False)


@pytest.mark.parametrize(
    "hidden",
    [
        TWICE,
        quote(TWICE, safe=""),
        "ada&amp;#64;lovelace-engines.com",
        r"ada\x40lovelace-engines.com",
        r"ada\\x40lovelace-engines.com",
        "ada\u3164@lovelace-engines.com",
        "ada@love\U000e0061lace-engines.com",
        "\U000e0001".join(MAIL),
        "a\U000e007fd\U000e0100a@lovelace-engines.com",
        "ada\x7f@lovelace-engines.com",
        "a\0d\0a\0@\0l\0o\0v\0e\0l\0a\0c\0e\0.\0c\0o\0m",
    ],
)
def test_f5_escapes_of_escapes_and_characters_that_show_nothing(hidden: str, sanitizer: Sanitizer) -> None:
    text = f"next={hidden} and"
    assert sanitizer.sanitize(text).text == "next=<EMAIL_ADDRESS> and"


def test_f5_a_value_that_is_coloured_in_part_is_found_whole(sanitizer: Sanitizer) -> None:
    text = "match: \x1b[01;31m\x1b[Kada\x1b[m\x1b[K@lovelace-engines.com and"
    found = sanitizer.scan(text)
    assert [one.type for one in found] == ["EMAIL_ADDRESS"]
    assert text[found[0].start : found[0].end] == "ada\x1b[m\x1b[K@lovelace-engines.com"


def test_f5_tags_between_digits_and_letters_show_nothing(sanitizer: Sanitizer) -> None:
    text = "paid with 4111 11\U000e007f11 11\U000e003111 1111 on \U0001f3f4\U000e0067\U000e0062\U000e007f"
    assert sanitizer.sanitize(text).text == "paid with <CREDIT_CARD> on \U0001f3f4\U000e0067\U000e0062\U000e007f"


@pytest.mark.parametrize("sign", ["\x01", "\x1f", "\x00", "\x1d"])
def test_f5_control_characters_between_values_stay_what_parts_them(sign: str, sanitizer: Sanitizer) -> None:
    text = sign.join(["4111111111111111", MAIL, "536-90-4399", "x"])
    assert sanitizer.sanitize(text).text == sign.join(["<CREDIT_CARD>", "<EMAIL_ADDRESS>", "<US_SSN>", "x"])
