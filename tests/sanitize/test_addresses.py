"""Addresses as people write them: every row of the table finds what it is for, and ordinary words are left alone."""

from __future__ import annotations

import re

import pytest

from consentry.sanitize import Sanitizer
from consentry.sanitize.patterns.tables.addresses import PATTERNS

ALONE = {
    "address.suffix": ["12 Main Street", "4711 Old Oak Road", "221B Baker Street", "12 MAIN STREET", "9 O'Connell St."],
    "address.suffix-plain": ["12 main street", "700 old mill road"],
    "address.compound": ["Brucker Bundesstrasse 31", "Hauptstraße 5", "Søndergade 52"],
    "address.kind-first": ["Rua do Arenque 1634", "Via Garibaldi 8", "rue de la Paix 12"],
    "address.unit-after": ["3482 Via Franscini 71 Suite 838", "Elm Hollow, Apt. 4"],
    "address.unit": ["Apt. 485", "suite 12b"],
    "address.box": ["P.O. Box 149", "Postfach 1203", "PSC 0413, Box 8144"],
    "address.military": ["APO AA 42323", "USNS Carter\nFPO AP 70942"],
}
NEAR_A_WORD = {
    "address.suffix-maybe": ["14 Willow Close", "7 Bowling Green", "10 Mill Hill"],
    "address.numbers-around": ["82 Oak 17\n"],
}
ORDINARY = [
    "the 10 Best Way to learn", "5 Little Green men", "in 2007 Bowling Green won", "Figure 3 Upper Row",
    "on 4 March Street parades began", "he scored 20 in Row A", "since 1999 Hill said so", "12 of the Park",
]  # fmt: skip


@pytest.fixture(scope="module")
def sanitizer() -> Sanitizer:
    return Sanitizer.default(names=False, types=("STREET_ADDRESS",))


def addresses(sanitizer: Sanitizer, text: str) -> list[str]:
    return [text[one.start : one.end] for one in sanitizer.scan(text)]


def test_every_row_has_its_examples() -> None:
    rows = {row.id: row for row in PATTERNS}
    assert rows.keys() == ALONE.keys() | NEAR_A_WORD.keys()
    for name, texts in (ALONE | NEAR_A_WORD).items():
        flags = re.IGNORECASE if rows[name].ignore_case else 0
        assert any(re.search(rows[name].regex, text, flags) for text in texts), name


@pytest.mark.parametrize("address", [one for texts in ALONE.values() for one in texts])
@pytest.mark.parametrize("around", ["{}", "They met at {} in the rain", "from {}, to"])
def test_an_address_is_found_whole(sanitizer, address, around) -> None:
    """A word or two before a street of one word may be taken for its name."""
    (found,) = addresses(sanitizer, around.format(address))
    assert found.endswith(address)
    assert found.removesuffix(address) in ("", "at ", "met at ", "from ")


@pytest.mark.parametrize("address", [one for texts in NEAR_A_WORD.values() for one in texts])
def test_some_are_found_where_a_word_says_so(sanitizer, address) -> None:
    assert addresses(sanitizer, f"It says {address} there") == []
    assert addresses(sanitizer, f"Address: {address} there") == [address.strip()]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_are_no_address(sanitizer, text) -> None:
    assert addresses(sanitizer, text) == []
