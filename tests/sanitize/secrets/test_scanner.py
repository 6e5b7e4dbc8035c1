"""The detector as a whole: any text, either search, and work that grows with the text only."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.errors import InvalidInput
from consentry.sanitize import secrets
from consentry.sanitize.detector import NO_CONTEXT, Context, Detector
from consentry.sanitize.secrets.scanner import SecretDetector
from consentry.sanitize.secrets.search import PlainSearch

MARKS = (
    *(
        "password",
        "token=",
        "key: ",
        "-----BEGIN PRIVATE KEY-----",
        "://",
        ":",
        "@",
        "AKIA",
        "eyJ",
        '"',
        "'",
        "\n",
        "\\",
    ),
    *(
        "<",
        ">",
        "identified by ",
        "--pass ",
        "Q7RZ2MXN4WTP6YVK",
        "é",
        "비밀번호:",
        "\U0001f600",
        "{",
        "}",
        "MII",
        '"kty"',
    ),
    *(" ", "a1B2c3D4e5"),
)
PIECES = st.sampled_from(MARKS)
TEXTS = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=40).map("".join))


@given(TEXTS)
@settings(max_examples=100, deadline=None)
def test_spans_index_the_text_and_nothing_breaks(text):
    for one in secrets.detector().scan(text, NO_CONTEXT):
        assert 0 <= one.start < one.end <= len(text)
        assert 0.0 < one.score <= 1.0
        assert one.type == "SECRET"
        assert one.subtype


@given(TEXTS)
@settings(max_examples=25, deadline=None)
def test_both_searches_find_the_same(plain, text):
    assert set(plain.scan(text, NO_CONTEXT)) == set(secrets.detector().scan(text, NO_CONTEXT))


@pytest.fixture(scope="module")
def plain() -> SecretDetector:
    return SecretDetector(PlainSearch)


def test_it_is_a_detector_of_secrets_only():
    detector: Detector = secrets.detector()
    assert detector.types == {"SECRET"}
    assert detector is secrets.detector()


def test_a_lone_surrogate_is_read_over():
    assert secrets.detector().scan("password = '\ud800'", NO_CONTEXT) == []


HOSTILE = [
    "password=",
    "://a:b@",
    "-----BEGIN PRIVATE KEY-----\n",
    "MII" + "A" * 60,
    "key: '",
    "<password ",
    "--token ",
    '"kty":"EC"',
    "AAAA",
]


@pytest.mark.parametrize("unit", HOSTILE)
def test_f_work_grows_with_the_text_on_hostile_input(unit, monkeypatch):
    """Counts the places that are looked at, not the time: four times the text, at most five times as many."""
    from consentry.sanitize.secrets import scanner

    def work(size: int) -> int:
        detector = SecretDetector()
        calls = 0

        def counted(place):
            def run(text, end):
                nonlocal calls
                calls += 1
                yield from place(text, end)

            return run

        monkeypatch.setattr(detector, "_rows", [counted(place) for place in detector._rows])
        with contextlib.suppress(InvalidInput):  # refused is read no further
            detector.scan((unit * (size // len(unit) + 1))[:size], NO_CONTEXT)
        return calls

    assert scanner.NAME == "secrets"
    small, large = work(4_000), work(16_000)
    assert large <= 5 * small + 50


@pytest.mark.parametrize("unit", ["password=", "token:", "?token=", "token:&", "password=" * 400 + "example"])
def test_e9_what_would_take_minutes_to_read_is_refused(unit):
    """Each of these has a candidate of thousands of characters at every few of its own."""
    with pytest.raises(InvalidInput):
        secrets.detector().scan(unit * (200_000 // len(unit)), NO_CONTEXT)


def test_e9_headers_without_an_end_are_read_in_one_pass():
    """The lines after each were looked for by an expression that went back 400 characters from each of thousands."""
    text = "-----BEGIN RSA PRIVATE KEY-----" * 2_000
    assert secrets.detector().scan(text, NO_CONTEXT) == []


def test_e9_long_lines_as_they_are_written_are_read():
    query = "&".join(f"key{n}={n:032x}" for n in range(100))
    lines = "\n".join(f"GET https://example.org/?{query}&password=Tr0ub4dor{n}x" for n in range(20))
    assert secrets.detector().scan(lines, NO_CONTEXT)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.sampled_from(MARKS) | st.text(max_size=6), max_size=8).map("".join), max_size=6))
def test_many_texts_are_read_as_each_alone(texts):
    contexts = [Context("password" if at % 2 else "note", (), True) for at in range(len(texts))]
    with contextlib.suppress(InvalidInput):
        alone = [sorted(secrets.detector().scan(*one)) for one in zip(texts, contexts, strict=True)]
        assert [sorted(found) for found in SecretDetector().scan_many(texts, contexts)] == alone
