"""Each transform alone: shapes, consistency, reversal, and leaving its own output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize.transforms import About, CannotTransform, KeyRing, KeyUnusable
from consentry.sanitize.transforms.base import Transform
from consentry.sanitize.transforms.coarse import Generalise
from consentry.sanitize.transforms.dates import DateShift
from consentry.sanitize.transforms.hashing import KeyedHash
from consentry.sanitize.transforms.keys import read_key
from consentry.sanitize.transforms.marks import find_marks, mark, read_mark
from consentry.sanitize.transforms.shapes import KeepShape
from consentry.sanitize.transforms.simple import Mask
from consentry.sanitize.transforms.surrogates import Surrogate, find_surrogates

KEYS = KeyRing(bytes(range(32)))
CARD = About("CREDIT_CARD")
PHONE = About("PHONE_NUMBER")


@pytest.mark.parametrize(
    ("value", "keep", "masked"),
    [
        ("4111 1111 1111 1111", 4, "**** **** **** 1111"),
        ("ada@x.org", 0, "***@*.***"),
        ("12345", 4, "****5"),
        ("abc", 4, "***"),
    ],
)
def test_mask_shows_at_most_a_quarter(value: str, keep: int, masked: str) -> None:
    mask = Mask(keep)
    assert mask.of(value, CARD) == masked
    assert mask.made(masked, CARD)


@pytest.mark.parametrize("value", ["**Ada**", "***Ada", "Ada***", "no stars", "***Adalove"])
def test_stars_around_a_word_are_no_mask(value: str) -> None:
    assert not Mask(0).made(value, About("PERSON"))


def test_hash_is_separated_by_type_and_key() -> None:
    one = KeyedHash(KEYS).of("ada", About("PERSON"))
    other_key = KeyedHash(KeyRing(bytes(32))).of("ada", About("PERSON"))
    other_type = KeyedHash(KEYS).of("ada", About("USERNAME"))
    assert one.split("#")[1] != other_type.split("#")[1]
    assert one != other_key
    assert one == KeyedHash(KEYS).of("ada", About("PERSON"))
    assert find_marks(one) == [(0, len(one))]


@given(st.binary(min_size=10, max_size=10))
def test_marks_hold_their_bytes(body: bytes) -> None:
    text = mark("PERSON", "#", body)
    assert read_mark("PERSON", "#", text[8:-1]) == body


@pytest.mark.parametrize(
    "text", ["<ADA_LOVELACE>", "<PERSON#bcdfghjklmnpqrstvwxzbcd>", "<person>", "<PERSON#4111111111111111>"]
)
def test_look_alikes_are_no_marks(text: str) -> None:
    assert find_marks(text) == []


@pytest.mark.parametrize("card", ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6759521864920116"])
@pytest.mark.parametrize("luhn", ["off", "valid"])
def test_cards_keep_their_shape_and_come_back(card: str, luhn: str) -> None:
    shape = KeepShape(KEYS, luhn)  # type: ignore[arg-type]
    out = shape.of(card, CARD)
    assert [c if not c.isdigit() else "9" for c in out] == [c if not c.isdigit() else "9" for c in card]
    assert out != card
    assert shape.reveal(out, CARD) == card
    assert shape.made(out, CARD) == (luhn == "off")


def test_a_number_that_is_no_card_is_not_encrypted_as_one() -> None:
    with pytest.raises(CannotTransform):
        KeepShape(KEYS).of("4111 1111 1111 1112", CARD)


@given(st.from_regex(r"\+?[1-9][0-9 ()\-]{4,20}[0-9]{4}", fullmatch=True))
def test_phones_keep_their_shape_and_come_back(phone: str) -> None:
    shape = KeepShape(KEYS)
    try:
        out = shape.of(phone, PHONE)
    except CannotTransform:
        assert sum(c.isdigit() for c in phone) < 6
        return
    assert len(out) == len(phone)
    assert [c for c in out if not c.isdigit()] == [c for c in phone if not c.isdigit()]
    assert shape.reveal(out, PHONE) == phone


@pytest.mark.parametrize(
    ("entity", "value"),
    [
        ("PERSON", "Ada Lovelace"),
        ("PERSON", "Ada"),
        ("PERSON", "ADA LOVELACE"),
        ("EMAIL_ADDRESS", "ada@lovelace.org"),
        ("PHONE_NUMBER", "+1 (415) 555-2671"),
        ("PHONE_NUMBER", "020 7946 0018 1234"),
        ("ORGANIZATION", "Analytical Engines"),
        ("LOCATION", "Marylebone"),
        ("STREET_ADDRESS", "12 St James's Square"),
        ("USERNAME", "ada"),
        ("URL", "https://lovelace.org/ada"),
        ("IP_ADDRESS", "10.1.2.3"),
        ("US_SSN", "078-05-1120"),
        ("CREDIT_CARD", "4111111111111111"),
    ],
)
def test_surrogates_are_consistent_and_known_again(entity: str, value: str) -> None:
    about = About(entity)
    out = Surrogate(KEYS).of(value, about)
    assert out == Surrogate(KEYS).of(value, about)
    assert out != Surrogate(KeyRing(bytes(32))).of(value, about)
    assert value not in out
    assert Surrogate(KeyRing(b"another key of ours")).made(out, about)


def test_surrogates_fold_case_and_space() -> None:
    one, two = (Surrogate(KEYS).of(name, About("PERSON")).casefold() for name in ("Ada  Lovelace", "ada lovelace"))
    assert one == two


def test_surrogates_do_not_collide() -> None:
    made = Surrogate(KEYS)
    names = {made.of(f"person {n}", About("PERSON")) for n in range(20_000)}
    phones = {made.of(f"{n:07}", PHONE) for n in range(2_000)} | {made.of(f"{n:08}", PHONE) for n in range(2_000)}
    assert len(names) == 20_000
    assert len(phones) == 4_000


@pytest.mark.parametrize(
    "text",
    ["Kantel Miros", "Bob.Smith@example.com", "+999 12 3456 789012 00", "2001:db8:0000:0000:0000:0000:0000:0001"],
)
def test_look_alikes_are_no_surrogates(text: str) -> None:
    assert find_surrogates(text) == []


@pytest.mark.parametrize(
    "value",
    [
        "1971-03-08",
        "3/8/1971",
        "08.03.71",
        "8 March 1971",
        "Mar 8, 1971",
        "March 8th, 1971",
        "19710308",
        "1971-03-08T07:55:29Z",
    ],
)
def test_dates_move_and_keep_their_manner(value: str) -> None:
    shift = DateShift(KEYS, days=30)
    moved = shift.of(value, About("DATE_TIME", subject="ada"))
    assert moved != value
    assert [c for c in moved if not c.isalnum()] == [c for c in value if not c.isalnum()]


def test_one_subject_moves_as_one() -> None:
    shift = DateShift(KEYS, days=300)
    assert shift.offset("ada") == shift.offset("ada")
    assert len({shift.offset(f"person {n}") for n in range(100)}) > 50
    assert all(shift.offset(f"person {n}") != 0 for n in range(1000))


@pytest.mark.parametrize(
    ("entity", "value", "out"),
    [
        ("AGE", "34 years", "30-39 years"),
        ("AGE", "93", "90+"),
        ("POSTAL_CODE", "94107", "941**"),
        ("POSTAL_CODE", "SW1A 1AA", "SW1* ***"),
        ("DATE_TIME", "3/8/1971", "1971-03"),
        ("DATE_TIME", "8 March 1971 at noon", "1971-03"),
        ("DATE_TIME", "in 1971", "1971"),
        ("IP_ADDRESS", "10.1.2.3", "10.1.2.0"),
        ("IP_ADDRESS", "2001:db8:1:2::3", "2001:db8:1::0"),
        ("URL", "https://x.org/ada?token=1", "https://x.org/"),
    ],
)
def test_generalise_is_a_projection(entity: str, value: str, out: str) -> None:
    coarse = Generalise()
    about = About(entity)
    assert coarse.of(value, about) == out
    assert coarse.of(out, about) == out
    assert coarse.made(out, about)


@pytest.mark.parametrize("reference", ["secret in clear", "env:CONSENTRY_NO_SUCH_KEY", "file:/no/such/key", "env:"])
def test_keys_come_by_reference_only(reference: str) -> None:
    with pytest.raises(KeyUnusable) as caught:
        read_key(reference)
    assert "secret" not in str(caught.value)


def test_short_keys_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_TEST_KEY", "short")
    with pytest.raises(KeyUnusable):
        read_key("env:CONSENTRY_TEST_KEY")


@pytest.mark.parametrize(
    ("transform", "entity", "value"),
    [
        (KeepShape(KEYS), "PHONE_NUMBER", "+1 415 555 2671 (Ada, ada@x.org)"),
        (KeepShape(KEYS), "EMAIL_ADDRESS", "ada4155552671@x.org"),
        (DateShift(KEYS), "DATE_TIME", "1971-03-08 (ada@x.org)"),
        (DateShift(KEYS), "DATE_TIME", "1971-03-08 to 1980-01-02"),
        (DateShift(KEYS), "DATE_TIME", "Monday, 8 March 1971"),
        (DateShift(KEYS), "DATE_TIME", "1971-03-08 Ada"),
        (Generalise(), "AGE", "35 (ada@x.org)"),
        (Generalise(), "AGE", "35, born 1971"),
        (Generalise(), "POSTAL_CODE", "ada@x.org"),
        (Generalise(), "POSTAL_CODE", "Ada Lovelace, Paris"),
    ],
)
def test_what_stands_beside_a_value_does_not_stay_in_clear(transform: Transform, entity: str, value: str) -> None:
    with pytest.raises(CannotTransform):
        transform.of(value, About(entity))


@pytest.mark.parametrize(
    "value",
    ["1971-03-08T10:15:00.123456Z", "8 March 1971, 10:15 PM EST", "1971-03-08 10:15:00+01:00", "(1971-03-08)"],
)
def test_a_time_of_day_stays_beside_a_date_that_moves(value: str) -> None:
    moved = DateShift(KEYS).of(value, About("DATE_TIME"))
    assert moved != value
    assert ("10:15" in moved) == ("10:15" in value)


@pytest.mark.parametrize("value", ["+1 415 555 2671 ext. 12", "(415) 555-2671 x12", "AB123456C"])
def test_signs_of_a_number_stay_beside_encrypted_digits(value: str) -> None:
    kind = About("PHONE_NUMBER")
    shape = KeepShape(KEYS)
    try:
        out = shape.of(value, kind)
    except CannotTransform:
        assert sum(map(str.isdigit, value)) < 7
        return
    assert out != value
    assert shape.reveal(out, kind) == value
