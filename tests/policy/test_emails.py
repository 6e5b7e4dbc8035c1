"""One human, one spelling (threat A5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.policy.emails import InvalidEmail, email_key, email_text

SAME = [
    "ada.lovelace@example.org",
    "AdaLovelace@example.org",
    "ADA.LOVELACE@EXAMPLE.ORG",
    "ada.lovelace+approver@example.org",
    "a.d.a.l.o.v.e.l.a.c.e+x+y@example.org",
    "ada.lovelace@example.org.",
    "ａｄａ.ｌｏｖｅｌａｃｅ@example.org",  # full width
    "ada.lovelace@ｅｘａｍｐｌｅ.org",
    "ada.lovelace＋x@example.org",
    "ada.lovelace@exa\u00admple.org",  # IDNA drops the soft hyphen
]


@pytest.mark.parametrize("email", SAME)
def test_a5_variants_do_not_make_a_new_person(email) -> None:
    assert email_key(email) == "adalovelace@example.org"


def test_a5_one_mailbox_under_two_domains_of_a_provider() -> None:
    assert email_key("ada@googlemail.com") == email_key("a.d.a@gmail.com")


@pytest.mark.parametrize(
    "email",
    ["", "ada", "@example.org", "ada@", "+x@example.org", ".@example.org", "a b@example.org", "ada@exa mple.org",
     "аda@example.org", "ada\u200b@example.org", "ada\u202e@example.org", "ada\x00@example.org", "ada@-x.org",
     "ada@x..org", "a" * 65 + "@example.org", "ada@" + "x" * 64 + ".org", '"ada"@example.org', "ada@bob@example.org\n"],
)  # fmt: skip
def test_what_could_be_read_as_another_address_is_refused(email) -> None:
    with pytest.raises(InvalidEmail):
        email_key(email)


def test_the_kept_text_is_as_it_was_written_but_folded() -> None:
    assert email_text("Ada.Lovelace+x@Example.ORG") == "ada.lovelace+x@example.org"


@given(st.text(max_size=40))
def test_any_text_has_a_key_that_is_its_own_or_none(text) -> None:
    try:
        key = email_key(text)
    except InvalidEmail:
        return
    assert key.isascii()
    assert email_key(key) == key
