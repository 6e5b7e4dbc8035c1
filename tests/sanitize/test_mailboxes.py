"""Mailboxes that are more than ASCII under a public domain."""

from __future__ import annotations

import pytest

from consentry.sanitize import Sanitizer

FOUND = [
    "josé@gmail.com",
    "jürgen.müller@gmail.com",
    "ada@müller.de",
    "иван@почта.рф",
    "ada@例子.公司",
    "a\u0301da@example.org",
    "jsmith@corp.local",
    "jsmith@ad.corp.internal",
    "ADA@HOST.LAN",
]


@pytest.fixture(scope="module")
def sanitizer() -> Sanitizer:
    return Sanitizer.default(names=False)


@pytest.mark.parametrize("value", FOUND)
@pytest.mark.parametrize("form", ["{}", "mail: {}.", "<{}>", "to={}&x", "say {} and", "[{}](mailto:x)", "\n{}\n"])
def test_f5_letters_of_other_scripts_and_internal_domains(form: str, value: str, sanitizer: Sanitizer) -> None:
    assert sanitizer.sanitize(form.replace("{}", value)).text == form.replace("{}", "<EMAIL_ADDRESS>")


@pytest.mark.parametrize("after", [".csv", ".card", "_2024.csv", ".tar.gz", ".This is glued", ".x", "_"])
@pytest.mark.parametrize("value", ["ada@lovelace.org", "ada@mail.lovelace.co.uk"])
def test_f2_a_mailbox_is_found_with_more_glued_to_it(value: str, after: str, sanitizer: Sanitizer) -> None:
    assert sanitizer.sanitize(f"in {value}{after}").text == f"in <EMAIL_ADDRESS>{after}"


def test_scripts_without_blanks_do_not_become_part_of_a_mailbox(sanitizer: Sanitizer) -> None:
    assert sanitizer.sanitize("メールはtaro@example.jpです").text == "メールは<EMAIL_ADDRESS>です"


@pytest.mark.parametrize("text", ["foo@bar", "über@de", "pkg@1.2.3", "@local.corp", "x@localhost"])
def test_other_things_with_an_at_are_none(text: str, sanitizer: Sanitizer) -> None:
    assert sanitizer.scan(text) == []
