"""docs/detectors.md says what the tables say."""

from __future__ import annotations

import re
from collections import defaultdict
from inspect import isfunction
from pathlib import Path

import pytest

from consentry.sanitize import Finding, Sanitizer
from consentry.sanitize.patterns import tables
from consentry.sanitize.patterns.lexicon import WORDS

PAGE = Path(__file__).parents[2] / "docs" / "detectors.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+) \| (.+) \| (\d\.\d\d) \| (\d\.\d\d) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_type_is_described_with_its_scores(page: str) -> None:
    alone: defaultdict[str, float] = defaultdict(float)
    named: defaultdict[str, float] = defaultdict(float)
    for row in tables.ALL:
        best = max(row.score, row.confirmed)
        alone[row.type] = max(alone[row.type], best)
        named[row.type] = max(named[row.type], min(0.99, best + row.lift))
    described = {found[1]: (float(found[4]), float(found[5])) for found in ROW.finditer(page)}
    assert described == {entity: (pytest.approx(alone[entity]), pytest.approx(named[entity])) for entity in alone}


def test_a_validator_is_described_where_there_is_one(page: str) -> None:
    checked = {row.type for row in tables.ALL if isfunction(row.check) and row.check.__doc__}
    assert {found[1] for found in ROW.finditer(page) if found[3] != "–"} == checked


def test_every_reason_is_named(page: str) -> None:
    described = {found[1]: found[2] for found in ROW.finditer(page)}
    assert all(row.reason in described[row.type] for row in tables.ALL)


def test_words_are_those_of_types_that_are_found() -> None:
    assert set(WORDS) <= {row.type for row in tables.ALL}


def test_the_example_finds_what_it_shows() -> None:
    found: list[Finding] = Sanitizer.default(names=False, secrets=False).scan(
        "Card 4111 1111 1111 1111, call +44 20 7946 0958"
    )
    assert [one.type for one in found] == ["CREDIT_CARD", "PHONE_NUMBER"]
