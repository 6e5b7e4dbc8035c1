"""The detector as a whole: any text, either search, and work that grows with the text only."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.sanitize import secrets
from consentry.sanitize.detector import NO_CONTEXT, Detector
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
        detector.scan((unit * (size // len(unit) + 1))[:size], NO_CONTEXT)
        return calls

    assert scanner.NAME == "secrets"
    small, large = work(4_000), work(16_000)
    assert large <= 5 * small + 50
