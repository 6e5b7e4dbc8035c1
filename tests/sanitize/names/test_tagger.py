"""The detector with the shipped model: what it reads, and that it cannot be broken by a text."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.sanitize import names
from consentry.sanitize.detector import NO_CONTEXT, Context, Detector, ManyDetector
from consentry.sanitize.finding import Finding
from consentry.sanitize.names import tokens


def found(text: str, context: Context = NO_CONTEXT) -> set[tuple[str, str]]:
    return {(one.type, text[one.start : one.end]) for one in names.detector().scan(text, context) if one.score >= 0.5}


READS = [
    ("My name is Anna Kowalska.", ("PERSON", "Anna Kowalska")),
    ("Please call John Smith tomorrow.", ("PERSON", "John Smith")),
    ("Dear Maria, thank you for your letter.", ("PERSON", "Maria")),
    ("The applicant was represented by Ms H. Lindqvist, a lawyer.", ("PERSON", "H. Lindqvist")),
    ("Judge Okonkwo dismissed the claim.", ("PERSON", "Okonkwo")),
    ("She moved from Berlin to Buenos Aires.", ("LOCATION", "Buenos Aires")),
    ("I was born in Norway.", ("LOCATION", "Norway")),
    ("He works for Brightwell Software Inc in London.", ("LOCATION", "London")),
    ("my name is anna kowalska", ("PERSON", "anna kowalska")),
    ("MY NAME IS ANNA KOWALSKA", ("PERSON", "ANNA KOWALSKA")),
]


@pytest.mark.parametrize(("text", "expected"), READS)
def test_it_reads_names_in_their_context(text, expected):
    kind, value = expected
    assert any(kind == k and (value in v or v in value) and len(v) >= 0.6 * len(value) for k, v in found(text)), found(
        text
    )


@pytest.mark.parametrize(
    "text",
    [
        "the quick brown fox jumps over the lazy dog",
        "Please review the attached document before noon.",
        "The meeting is on Monday.",
        "12345 67890",
        "",
        " \n\t",
        "def parse(value): return value.strip()",
    ],
)
def test_plain_text_holds_no_person(text):
    assert not any(kind == "PERSON" for kind, _ in found(text))


def test_a_name_found_once_is_found_everywhere():
    text = (
        "The report was written by Marek Wiśniewski in May.\n\nLater the office asked Wiśniewski to add a page. "
        "It was added. WIŚNIEWSKI signed it, and Wiśniewski's copy was sent."
    )
    spans = sorted(one.start for one in names.detector().scan(text, NO_CONTEXT) if one.type == "PERSON")
    surname = [index for index in range(len(text)) if text[index : index + 10].lower() == "wiśniewski"]
    people = [one for one in names.detector().scan(text, NO_CONTEXT) if one.type == "PERSON"]
    assert all(any(one.start <= at and at + 10 <= one.end for one in people) for at in surname), spans


def test_one_text_says_nothing_about_another():
    detector = names.detector()
    assert isinstance(detector, ManyDetector)
    texts = ["Written by Marek Wisniewski.", "the wisniewski method", "", "Ask Wisniewski.", "In Paris\n\n"]
    one_by_one = [spans(detector.scan(text, NO_CONTEXT)) for text in texts]
    assert [spans(found) for found in detector.scan_many(texts, [NO_CONTEXT] * len(texts))] == one_by_one


TEXTS = st.one_of(
    st.text(max_size=300),
    st.lists(
        st.sampled_from(
            ["Mr.", "Anna", "de", "Smith", "\n", " ", "-", "'s", "LONDON", "7", "é", "\ud800", "😀", "\u200b"]
        )
    ).map("".join),
)


@given(TEXTS)
@settings(max_examples=120, deadline=None)
def test_spans_index_the_text_and_nothing_breaks(text):
    for one in names.detector().scan(text, NO_CONTEXT):
        assert 0 <= one.start < one.end <= len(text)
        assert 0.5 <= one.score <= 1.0
        assert one.type in names.detector().types
        assert not text[one.start].isspace()
        assert not text[one.end - 1].isspace()


def spans(found: list[Finding]) -> list[tuple[str, int, int, str]]:
    return [(one.type, one.start, one.end, one.reason) for one in found]


@given(st.lists(TEXTS, max_size=6))
@settings(max_examples=40, deadline=None)
def test_many_texts_are_read_as_one_by_one(texts):
    detector = names.detector()
    assert isinstance(detector, ManyDetector)
    together = detector.scan_many(texts, [NO_CONTEXT] * len(texts))
    alone = [detector.scan(text, NO_CONTEXT) for text in texts]
    assert [spans(found) for found in together] == [spans(found) for found in alone]
    for one, other in zip(chain(*together), chain(*alone), strict=True):
        assert one.score == pytest.approx(other.score, abs=0.002)  # sums of other sizes are rounded otherwise


def test_a_name_at_the_end_of_a_piece_is_found_at_its_place():
    filler = "nothing to see here. " * (tokens.LONGEST // 21)
    text = filler + "\nMy name is Anna Kowalska.\n" + filler + "\nMy name is Anna Kowalska.\n"
    people = [text[one.start : one.end] for one in names.detector().scan(text, NO_CONTEXT) if one.type == "PERSON"]
    assert people == ["Anna Kowalska", "Anna Kowalska"]


def test_it_is_a_detector_and_the_same_one_each_time():
    detector: Detector = names.detector()
    assert detector is names.detector()
    assert {"PERSON", "LOCATION", "ORGANIZATION"} <= detector.types


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("surname", "Ng", "PERSON"),
        ("firstName", "xochitl", "PERSON"),
        ("billing_city", "Ub", "LOCATION"),
        ("employer", "qqz", "ORGANIZATION"),
    ],
)
def test_a_key_that_says_what_a_value_is_is_believed(key, value, kind):
    assert kind in {k for k, _ in found(value, Context(key=key, value=True))} | {k for k, _ in found(value, NO_CONTEXT)}


def test_a_key_is_not_believed_about_running_text():
    assert found("nothing here", Context(key="surname", value=False)) == set()


def test_a_reason_never_quotes_the_name():
    text = "Judge Okonkwo met Anna Kowalska. Kowalska left."
    assert all("kowalska" not in one.reason.lower() for one in names.detector().scan(text, NO_CONTEXT))


@pytest.mark.parametrize("text", ["key AKIAIOSFODNN7EXAMPLE here", "aws_access_key_id = AKIAIOSFODNN7EXAMPLE"])
def test_the_beginning_of_a_code_is_no_name(text: str) -> None:
    assert names.detector().scan(text, NO_CONTEXT) == []
