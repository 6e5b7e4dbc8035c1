"""Sign-ins that are sealed into a cookie: opened for the same browser, provider and state, in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from consentry.identity.oidc import SignInRefused, new_flow
from consentry.identity.oidc_sealed import MARK, MAX_NEXT, seal, unseal

KEY, OTHER = b"k" * 32, b"o" * 32
FLOW = new_flow("corp", "/history?state=pending")
UNTIL = 1_000_000
SEALED = seal(KEY, FLOW, UNTIL)


def flip(text: str, at: int) -> str:
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def test_what_was_sealed_is_opened() -> None:
    found, until_ms = unseal(KEY, "corp", FLOW.state, SEALED, UNTIL - 1)
    assert (found, until_ms) == (replace(FLOW, browser=SEALED), UNTIL)


def test_nothing_in_it_can_be_read() -> None:
    for secret in (FLOW.state, FLOW.nonce, FLOW.verifier, "history"):
        assert secret not in SEALED
    assert seal(KEY, FLOW, UNTIL) != SEALED


@pytest.mark.parametrize("at", range(len(MARK), len(SEALED) - 1))
def test_a_changed_cookie_is_refused(at) -> None:
    with pytest.raises(SignInRefused):
        unseal(KEY, "corp", FLOW.state, flip(SEALED, at), 0)


@pytest.mark.parametrize(
    ("key", "provider", "state", "browser", "now_ms"),
    [
        (OTHER, "corp", FLOW.state, SEALED, 0),
        (KEY, "evil", FLOW.state, SEALED, 0),
        (KEY, "corp", new_flow("corp", "/").state, SEALED, 0),
        (KEY, "corp", "\ud800", SEALED, 0),
        (KEY, "corp", "", SEALED, 0),
        (KEY, "corp", FLOW.state, SEALED, UNTIL),
        (KEY, "corp", FLOW.state, MARK, 0),
        (KEY, "corp", FLOW.state, MARK + "A", 0),
        (KEY, "corp", FLOW.state, MARK + "ä" * 43, 0),
        (KEY, "corp", FLOW.state, SEALED[:-20], 0),
    ],
    ids=["key", "provider", "state", "surrogate", "no state", "late", "empty", "short", "not ascii", "cut"],
)
def test_what_is_of_another_sign_in_is_refused(key, provider, state, browser, now_ms) -> None:
    with pytest.raises(SignInRefused, match="was not begun in this browser"):
        unseal(key, provider, state, browser, now_ms)


def test_a_page_that_fits_no_cookie_is_left_behind() -> None:
    """Browsers keep 4096 bytes, and drop what is longer: nobody could sign in."""
    far = seal(KEY, replace(FLOW, next_path="/" + "ü" * (MAX_NEXT - 1)), UNTIL)
    assert len(far) > 1_000
    assert unseal(KEY, "corp", FLOW.state, seal(KEY, replace(FLOW, next_path="/" + "x" * MAX_NEXT), UNTIL), 0)[
        0
    ].next_path == ("/")


def test_a_flow_that_links_an_account_is_never_sealed() -> None:
    with pytest.raises(ValueError, match="not sealed"):
        seal(KEY, new_flow("corp", "/", session="ses_1"), UNTIL)
