"""Both matchers, the joined pass and the stream find what one plain pass finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from re import _parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.sanitize import Context, Engine, Finding, scan_stream
from consentry.sanitize.patterns import matching, tables
from consentry.sanitize.patterns.detector import PatternDetector
from consentry.sanitize.patterns.pattern import SEPARATOR, Pattern

pytest.importorskip("hyperscan", reason="the vector pass (hyperscan) is not installed")

SAMPLES = (
    "ada@example.org", "https://example.org/a?b=c", "www.example.com", "shop.example.de", "10.1.2.3", "2001:db8::1",
    "00:1a:2b:3c:4d:5e", "4111 1111 1111 1111", "5500005555555559", "GB82 WEST 1234 5698 7654 32", "078-05-1123",
    "+44 20 7946 0958", "(415) 555-0132", "0494 92 82 32", "2024-03-15T14:30:00Z", "5 May 2021", "May 5, 2021",
    "in 1997", "Monday", "12:30", "47 years old", "aged 33", "Mr. Bloggs", "German", "SW1A 1AA", "K1A 0B1", "CA 94105",
    "zip: 94105", "AB51 ABC", "HH AB 1234", "12345678Z", "X1234567L", "RSSMRA85T10A562S", "44051401359", "131052-308T",
    "19811228-9874", "3998 7654 3211", "ABCPD1234Z", "27ABCDE1234F1Z5", "960121-1234567", "S2740116C", "53125226D",
    "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "1M8GDM9AXKP042788", "YWRhQGV4YW1wbGUub3JnIGlzIG1lMTI=", "1EG4-TE5-MK73",
    "card", "ssn", "phone", "passport", "call me on", "driver licence", "123456789", "12345678901", "1234567890123",
)  # fmt: skip
GLUE = (
    " ",
    ", ",
    "\n",
    ": ",
    "",
    "-",
    ".",
    "x",
    "1",
    "@",
    "/",
    " and the ",
    "é",
    "–",
    SEPARATOR,
    "\u200b",
    "%40",
    "&amp;",
)
TEXTS = st.lists(st.sampled_from(SAMPLES + GLUE) | st.text(max_size=4), max_size=14).map("".join)


@cache
def vector() -> PatternDetector:
    return _detector(lambda rows: matching.VectorMatcher(rows))


@cache
def plain() -> PatternDetector:
    return _detector(lambda rows: matching.PlainMatcher(rows))


def _detector(build: Callable[[list[Pattern]], matching.Matcher]) -> PatternDetector:
    return PatternDetector(tables.ALL, build([*tables.ALL, tables.BASE64]))


def ordered(findings: list[Finding]) -> list[Finding]:
    return sorted(findings, key=lambda one: (one.start, one.end, one.type, one.score, one.reason))


@settings(max_examples=400, deadline=None)
@given(TEXTS)
def test_the_fallback_finds_exactly_what_the_vector_pass_finds(text: str) -> None:
    context = Context()
    assert ordered(plain().scan(text, context)) == ordered(vector().scan(text, context))


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_is_found_alike_alone(sample: str) -> None:
    assert ordered(plain().scan(sample, Context())) == ordered(vector().scan(sample, Context()))


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_spans_always_index_the_original(text: str) -> None:
    for one in vector().scan(text, Context()):
        assert 0 <= one.start < one.end <= len(text)


@settings(max_examples=150, deadline=None)
@given(st.lists(TEXTS, max_size=6), st.sampled_from([None, "phone", "primaryEmail", "card_no"]))
def test_many_texts_joined_give_what_each_alone_gives(texts: list[str], key: str | None) -> None:
    contexts = [Context(key=key)] * len(texts)
    joined = vector().scan_many(texts, contexts)
    alone = [vector().scan(text, Context(key=key)) for text in texts]
    assert [ordered(one) for one in joined] == [ordered(one) for one in alone]


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.integers(1, 40), st.integers(1, 200))
def test_f5_a_text_in_chunks_gives_what_the_whole_gives(text: str, size: int, block: int) -> None:
    engine = Engine([vector()])
    chunks = [text[at : at + size] for at in range(0, len(text), size)]
    offset, found = 0, []
    for piece in scan_stream(engine, chunks, block=block, margin=400):
        found += [(one.start + offset, one.end + offset, one.type) for one in piece.findings]
        offset += len(piece.text)
    assert offset == len(text)
    assert found == [(one.start, one.end, one.type) for one in engine.scan(text)]


def test_f5_pieces_together_are_the_text() -> None:
    text = "write to ada@example.org or bob@example.org. " * 200
    pieces = list(
        scan_stream(Engine([vector()]), [text[at : at + 7] for at in range(0, len(text), 7)], block=500, margin=300)
    )
    assert "".join(piece.text for piece in pieces) == text
    assert len(pieces) > 5
    assert sum(len(piece.findings) for piece in pieces) == 400


def test_ids_are_distinct() -> None:
    ids = [row.id for row in tables.ALL]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("row", tables.ALL, ids=lambda row: row.id)
def test_no_pattern_matches_the_separator_or_an_anchor(row: Pattern) -> None:
    assert not re.search(r"(?<!\\)\\[AZ]|(?<![\[\\])\^(?!\])|(?<!\\)\$(?![€£%-])", re.sub(r"\[[^\]]*\]", "", row.regex))
    regex = matching.compiled(row)
    assert not any(SEPARATOR in match[0] for match in regex.finditer(SEPARATOR.join(SAMPLES) + SEPARATOR * 3))


def test_patterns_compiled_once_are_read_back(tmp_path: Path) -> None:
    rows = list(tables.ALL)
    text = "ada@example.org 078-05-1123"
    first = matching.VectorMatcher(rows, tmp_path)
    stored = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    second = matching.VectorMatcher(rows, tmp_path)
    assert len(stored) == 3
    assert stored == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    spans = [
        [
            (row.id, match.span())
            for row, hits in one.matches(text, text.encode(), lambda row, count: False)
            for match in hits
        ]
        for one in (first, second)
    ]
    assert spans[0] == spans[1]
    assert {("email", (0, 15)), ("us.ssn", (16, 27))} <= set(spans[0])


def test_without_the_wheel_patterns_are_found_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "find_spec", lambda name: None)
    assert isinstance(matching.matcher(tables.ALL, None), matching.PlainMatcher)


def digits_of(parsed: Iterable[tuple[Any, Any]]) -> int:
    """How many digits at least a match of a parsed expression holds."""
    count = 0
    for kind, about in parsed:
        name = str(kind)
        if name == "LITERAL":
            count += 48 <= about <= 57
        elif name == "IN":
            count += all(
                str(part) == "CATEGORY_DIGIT"
                if str(one) == "CATEGORY"
                else min(part_of(part)) >= 48 <= 57 >= max(part_of(part))
                for one, part in about
            )
        elif name == "BRANCH":
            count += min(digits_of(one) for one in about[1])
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            count += about[0] * digits_of(about[2])
        elif name == "SUBPATTERN":
            count += digits_of(about[3])
    return count


def part_of(part: Any) -> tuple[int, ...]:
    return part if isinstance(part, tuple) else (part,)


@pytest.mark.parametrize("row", [row for row in tables.ALL if row.dense], ids=lambda row: row.id)
def test_dense_patterns_hold_the_digits_that_they_are_looked_for_by(row: Pattern) -> None:
    trigger = row.regex if row.trigger is None else row.trigger
    assert isinstance(trigger, str)
    parsed = _parser.parse(trigger)
    assert digits_of(parsed) >= 6
    assert parsed.getwidth()[1] <= 24
