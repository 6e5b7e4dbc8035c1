"""Words around many matches, read in one pass, are those that are read around each."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.sanitize import Context, Finding
from consentry.sanitize.context import near
from consentry.sanitize.patterns import matching, tables
from consentry.sanitize.patterns.detector import PatternDetector
from consentry.sanitize.patterns.lexicon import WORDS
from consentry.sanitize.patterns.naming import Naming
from consentry.sanitize.patterns.pattern import SEPARATOR

LEXICON = frozenset().union(*WORDS.values())
PIECES = (
    "phone",
    "ssn",
    "teléfono",
    "TELÉFONO",
    "móvil",
    "licence",
    "passport_no",
    "ip",
    "tin",
    "date",
    "x",
    "12",
    "é",
)
GLUE = (" ", ", ", "_", "-", "\n", "", ".", "\u0130", SEPARATOR, "?", "\u00df", " and then nothing for a long while, ")
TEXTS = st.lists(st.sampled_from(PIECES + GLUE), min_size=20, max_size=60).map("".join)


@cache
def naming() -> Naming:
    return Naming(LEXICON)


def _torn(text: str, place: int) -> bool:
    """Whether a word goes on there, as none does where a match begins after ASCII, or ends."""
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.integers(1, 9))
def test_words_around_many_places_are_those_around_each(text: str, width: int) -> None:
    spans = [(at, min(len(text), at + width)) for at in range(len(text))] * 3
    around = naming().around(text, text.encode("ascii", "replace"), spans)
    for start, end in spans[: len(text)]:
        there = near(text, start, end) & LEXICON
        assert around.any_of(there, start, end) == bool(there)
        if not (_torn(text, end) or (_torn(text, start) and text[start - 1].isascii())):
            assert around.may_name(there) or not there
        assert not around.any_of(LEXICON - there, start, end)


@cache
def detectors() -> tuple[PatternDetector, PatternDetector]:
    """One that looks at everything by `re` alone, and one that leaves out what nothing can come of."""
    rows = [*tables.ALL, tables.BASE64]
    return (
        PatternDetector(tables.ALL, matching.PlainMatcher(rows)),
        PatternDetector(tables.ALL, matching.matcher(rows, None), 0.5),
    )


def likely(findings: list[Finding]) -> list[tuple[str, int, int, float, str]]:
    return sorted((one.type, one.start, one.end, one.score, one.reason) for one in findings if one.score >= 0.5)


@pytest.mark.parametrize("unit", ["A1234567 ", "AB 123, ", "1 2 3 4 5 6 ", "u0041-", "B 77 X "])
@pytest.mark.parametrize(
    "among", ["", "licence", "card number", " " * 20, "\t\r\n        ", SEPARATOR, f"{SEPARATOR}A1234567{SEPARATOR}"]
)
def test_in_a_crowd_everything_likely_is_found(unit: str, among: str) -> None:
    everything, quick = detectors()
    text = unit * 300 + among + unit * 300
    assert likely(quick.scan(text, Context())) == likely(everything.scan(text, Context()))


def test_a_key_names_what_stands_in_a_crowd() -> None:
    everything, quick = detectors()
    context = Context(key="driver_licence")
    text = "A1234567, " * 400
    found = likely(quick.scan(text, context))
    assert found == likely(everything.scan(text, context))
    assert len(found) >= 400


DATES = (
    "3rd of May", "May 3, ", "12. Jan. 2001", "31-dec-99", "1May", "Sept., of 1999", " ", "-", "é", "1", "2nd ",
    "march",
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(DATES), min_size=40, max_size=90).map(" ".join))
def test_dates_by_the_beginnings_of_months_are_those_that_re_finds(text: str) -> None:
    everything, quick = detectors()
    assert likely(quick.scan(text, Context())) == likely(everything.scan(text, Context()))
