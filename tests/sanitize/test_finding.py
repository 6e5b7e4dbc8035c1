from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize import Finding, Sanitizer, resolve
from consentry.sanitize.finding import LIKELY


def found(start: int, end: int, score: float = 0.9, entity: str = "PERSON") -> Finding:
    return Finding(entity, start, end, score, "test", "because")


@pytest.mark.parametrize(
    ("findings", "kept"),
    [
        ([], []),
        ([found(4, 6), found(0, 2)], [(0, 2), (4, 6)]),
        ([found(0, 4, 0.6), found(2, 6, 0.8)], [(0, 2), (2, 6)]),
        ([found(0, 4, 0.8), found(2, 8, 0.8)], [(0, 2), (2, 8)]),
        ([found(2, 8, 0.6), found(0, 4, 0.8), found(6, 9, 0.8)], [(0, 4), (4, 6), (6, 9)]),
        ([found(0, 8, 0.6), found(2, 4, 0.8), found(6, 9, 0.8)], [(2, 4), (6, 9)]),
        ([found(0, 4), found(4, 8)], [(0, 4), (4, 8)]),
        ([found(0, 4), found(0, 4)], [(0, 4)]),
        ([found(0, 9, 0.5), found(0, 3, 0.9), found(6, 9, 0.9)], [(0, 3), (6, 9)]),
        ([found(0, 9, 0.7), found(0, 3, 0.9), found(6, 9, 0.9)], [(0, 3), (3, 6), (6, 9)]),
        ([found(0, 9, 0.7), found(2, 4, 0.9), found(6, 7, 0.9)], [(0, 2), (2, 4), (4, 6), (6, 7), (7, 9)]),
    ],
)
def test_the_stronger_finding_stands(findings: list[Finding], kept: list[tuple[int, int]]) -> None:
    assert [(one.start, one.end) for one in resolve(findings, 10)] == kept


def test_the_type_named_first_wins_a_tie() -> None:
    assert [one.type for one in resolve([found(0, 5, 0.9, "PERSON"), found(0, 5, 0.9, "SECRET")], 5)] == ["SECRET"]
    assert [one.type for one in resolve([found(0, 5, 0.9, "UK_NHS"), found(0, 5, 0.9, "PHONE_NUMBER")], 5)] == [
        "UK_NHS"
    ]


def by(detector: str, entity: str, start: int, end: int, score: float) -> Finding:
    return Finding(entity, start, end, score, detector, "because")


@pytest.mark.parametrize(
    ("form", "name", "stands"),
    [
        (by("secrets", "SECRET", 0, 20, 0.95), by("names", "LOCATION", 0, 4, 0.96), "SECRET"),
        (by("secrets", "SECRET", 0, 20, 0.5), by("names", "LOCATION", 4, 9, 0.99), "SECRET"),
        (by("patterns", "EMAIL_ADDRESS", 5, 28, 0.98), by("names", "PERSON", 5, 9, 1.0), "EMAIL_ADDRESS"),
        (by("patterns", "UK_NINO", 4, 13, 0.95), by("names", "ORGANIZATION", 0, 6, 1.0), "ORGANIZATION UK_NINO"),
        (by("patterns", "UK_NINO", 0, 9, 0.95), by("names", "ORGANIZATION", 6, 14, 1.0), "UK_NINO ORGANIZATION"),
        (by("patterns", "POSTAL_CODE", 0, 9, 0.6), by("names", "LOCATION", 4, 9, 0.99), "LOCATION"),
        (by("patterns", "DATE_TIME", 4, 8, 0.95), by("names", "ORGANIZATION", 0, 9, 0.99), "ORGANIZATION"),
        (by("secrets", "SECRET", 0, 9, 0.95), by("names", "PERSON", 0, 9, 0.99), "SECRET"),
        (by("patterns", "DATE_TIME", 0, 9, 0.95), by("names", "PERSON", 0, 9, 0.99), "PERSON"),
        (by("patterns", "EMAIL_ADDRESS", 0, 9, 0.98), by("mine", "EMPLOYEE", 0, 4, 0.99), "EMPLOYEE EMAIL_ADDRESS"),
    ],
)
def test_a_name_gives_way_to_a_form_that_reaches_beyond_it(form: Finding, name: Finding, stands: str) -> None:
    assert [one.type for one in resolve([name, form], 40)] == stands.split()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("aws_access_key_id = AKIA3QF7XJ5LMWPA2KTB", "SECRET"),
        ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jZ_2kLQwVzZ", "SECRET"),
        ("mail anna.keller@example.com", "EMAIL_ADDRESS"),
    ],
)
def test_what_is_found_without_names_is_found_with_them(text: str, expected: str) -> None:
    for names in (False, True):
        assert [one.type for one in Sanitizer.default(names=names).scan(text)] == [expected]


@pytest.mark.parametrize("whole", ["IBAN_CODE", "CREDIT_CARD", "CRYPTO", "SECRET"])
def test_f5_a_part_of_a_number_does_not_leave_the_rest_in_clear(whole: str) -> None:
    outer = found(4, 30, 0.95, whole)
    parts = [found(4, 12, 0.99, "PHONE_NUMBER"), found(10, 20, 0.99, "US_SSN"), found(20, 30, 0.98, "EMAIL_ADDRESS")]
    assert resolve([*parts, outer, found(31, 40, 0.6)], 50) == [outer, found(31, 40, 0.6)]
    beyond = found(20, 31, 0.99, "PHONE_NUMBER")
    assert resolve([outer, beyond], 50) == [found(4, 20, 0.95, whole), beyond]


@pytest.mark.parametrize(
    ("text", "weak", "kept"),
    [
        ("12 Elm Street Springfield", (0, 25), "12 Elm Street"),
        ("(12) - Elm Springfield", (0, 22), "12) - Elm"),
        (" ... Springfield", (0, 16), None),
        ("\u2014 \u00e9 \u2014 Springfield", (0, 17), "\u00e9"),
    ],
)
def test_f5_what_lies_beside_a_stronger_finding_does_not_stay_in_clear(
    text: str, weak: tuple[int, int], kept: str | None
) -> None:
    start = text.index("Spring")
    strong = found(start, len(text) + 3, 0.99, "LOCATION")
    shown = resolve([found(*weak, 0.6, "STREET_ADDRESS"), strong], len(text) + 3, text + " 62")
    assert shown[-1] == strong
    assert [text[one.start : one.end] for one in shown[:-1]] == ([] if kept is None else [kept])


def test_f5_an_account_near_the_word_phone_is_found_whole() -> None:
    text = "Phone (217) 555-0143, IBAN: DE89 3704 0044 0532 0130 00"
    found = Sanitizer.default(names=False).scan(text)
    assert [one.type for one in found] == ["PHONE_NUMBER", "IBAN_CODE"]
    assert text[found[1].start : found[1].end] == "DE89 3704 0044 0532 0130 00"


@pytest.mark.parametrize("span", [(0, 0), (3, 2), (-1, 2), (2, 11)])
def test_a_span_outside_the_text_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="outside the text"):
        resolve([found(*span)], 10)


FINDINGS = st.lists(
    st.builds(
        lambda start, length, score, entity: found(start, start + length, score, entity),
        st.integers(0, 40),
        st.integers(1, 9),
        st.sampled_from([0.5, 0.7, 0.9]),
        st.sampled_from(["PERSON", "EMAIL_ADDRESS", "UK_NHS"]),
    ),
    max_size=25,
)


@given(FINDINGS, st.randoms())
def test_what_stands_is_disjoint_ordered_and_the_same_for_any_order(findings: list[Finding], random: object) -> None:
    kept = resolve(findings, 50)
    assert all(left.end <= right.start for left, right in pairwise(kept))
    shuffled = list(findings)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert resolve(shuffled, 50) == kept


@given(FINDINGS)
def test_f5_nothing_found_stays_in_clear_but_what_is_unlikely_around_what_it_holds(findings: list[Finding]) -> None:
    numbered = [one._replace(reason=str(at)) for at, one in enumerate(findings)]
    kept = resolve(numbered, 50)
    covered = {at for one in kept for at in range(one.start, one.end)}
    for one in numbered:
        others = [other for other in kept if other.reason != one.reason]
        holds = any(one.start <= other.start and other.end <= one.end for other in others)
        assert (holds and one.score < LIKELY) or covered.issuperset(range(one.start, one.end))


@given(FINDINGS)
def test_what_was_dropped_overlaps_something_at_least_as_strong(findings: list[Finding]) -> None:
    kept = resolve(findings, 50)
    for one in findings:
        over = [other for other in kept if other.start < one.end and one.start < other.end]
        assert one in kept or any(other.score >= one.score for other in over)


def test_f5_a_postal_code_in_an_address_leaves_none_of_it_in_clear() -> None:
    text = "Ship to 12 Main Street, Suite 4"
    whole = Finding("STREET_ADDRESS", 8, 31, 0.7, "patterns", "because")
    inner = Finding("POSTAL_CODE", 16, 22, 0.9, "patterns", "because")
    kept = [text[one.start : one.end] for one in resolve([whole, inner], len(text), text)]
    assert kept == ["12 Main", "Street", "Suite 4"]
