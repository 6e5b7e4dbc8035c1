"""Values that stand again in a text are found the same way whether there are few of them or many."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize.transforms import echoes

TEXTS = st.text(alphabet="abcé- 1", min_size=20, max_size=160)


@given(TEXTS, st.lists(st.tuples(st.integers(0, 150), st.integers(5, 9)), min_size=1, max_size=16))
def test_many_values_are_found_as_few_are(text: str, places: list[tuple[int, int]]) -> None:
    values = {text[at : at + size] for at, size in places}
    repeated = {value for value in values if len(value) >= echoes.LEAST and text.count(value) > 1}
    padding = {f"never{number:03}" for number in range(40)}
    assert list(echoes.occurrences(text, repeated)) == list(echoes.occurrences(text, repeated | padding))


@pytest.mark.parametrize("count", [2, 400])
def test_whole_words_only(count: int) -> None:
    values = [f"user{number}@example.org" for number in range(count)]
    text = " ".join([*values, "xuser1@example.org", "user1@example.organic", *reversed(values)])
    assert [text[a:b] for a, b in echoes.occurrences(text, values)] == [*values, *reversed(values)]


def test_a_long_text_of_many_values_is_read_once() -> None:
    values = [f"user{number}@example.org" for number in range(20_000)]
    text = " and ".join(values * 2)
    assert sum(1 for _ in echoes.occurrences(text, values)) == 40_000
