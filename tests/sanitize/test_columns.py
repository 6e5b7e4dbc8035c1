"""Columns judged by their names and those beside them, in time that grows with their number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize import columns
from consentry.sanitize.column_names import NEEDED, words_of
from consentry.sanitize.columns import Column, judge, judge_all

NAMES = st.sampled_from(
    ["name", "email", "Email", "state", "city", "zip", "home_city", "first_name", "age", "n", "dob"]
)


@given(st.lists(NAMES, max_size=8), st.sampled_from(["", "orders", "customers"]))
def test_a_column_is_judged_by_all_others_and_not_by_itself(names: list[str], table: str) -> None:
    judged = judge_all([_column(name) for name in names], table)
    for name, verdict in zip(names, judged, strict=True):
        assert verdict == judge(_column(name), table, names)
        others = [words_of(other) for other in names if other != name]
        neighbours = columns._Neighbours(table, names)
        assert neighbours.words(name) == NEEDED & {word for words in others for word in words}
        said = {" ".join(words) for words in others}
        people = table == "customers" or bool(said & columns._STRONG_NAMES)
        assert neighbours.are_about_people(name) == people


def _column(name: str) -> Column:
    return Column(name, "text", ["Ada", "Grace"], [[], []])


def test_a_state_is_a_place_only_beside_one() -> None:
    assert judge(_column("state"), "", ["state", "n"]).type is None
    assert judge(_column("state"), "", ["state", "city"]).type == "LOCATION"


def test_f_work_grows_with_the_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts the names that are taken apart: a few times for each column, not once for each pair."""
    calls = 0

    def counted(name: str) -> tuple[str, ...]:
        nonlocal calls
        calls += 1
        return words_of(name)

    monkeypatch.setattr(columns, "words_of", counted)
    judge_all([Column(f"state_{at}", "text", [], []) for at in range(1_000)])
    assert calls <= 3_000


@pytest.mark.parametrize(
    "words", [("email",), ("e", "mail"), ("customer", "email", "address"), ("nothing",), (), ("x", "ssn", "ssn")]
)
def test_the_rule_of_a_name_is_the_best_of_all(words: tuple[str, ...]) -> None:
    from consentry.sanitize import column_names as names

    for people in (False, True):
        fitting = [rule for rule in names.RULES if names._fits(rule, words, people, frozenset())]
        best = max(fitting, key=lambda rule: (sum(map(len, rule.words)), rule.weight), default=None)
        assert names.match_name(words, people, frozenset()) is best
