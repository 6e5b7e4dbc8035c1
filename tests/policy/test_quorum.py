"""Counting votes against brute force."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.policy.quorum import assign, satisfied

PEOPLE = [f"p{number}" for number in range(6)]
members = st.frozensets(st.sampled_from(PEOPLE), max_size=6)


def assignments(sets: Sequence[frozenset[str]], people: Sequence[str]) -> Iterator[tuple[int, ...]]:
    """Every way to give each person to one of their sets, or to none; a tuple of how many each set got."""
    choices = [[None, *(index for index, one in enumerate(sets) if person in one)] for person in people]
    for choice in product(*choices):
        yield tuple(sum(1 for index in choice if index == number) for number in range(len(sets)))


@given(st.lists(members, min_size=1, max_size=3), st.integers(1, 3), st.frozensets(st.sampled_from(PEOPLE)))
def test_a8_satisfied_is_what_brute_force_finds(
    sets: list[frozenset[str]], quorum: int, voters: frozenset[str]
) -> None:
    possible = any(all(count >= quorum for count in counts) for counts in assignments(sets, sorted(voters)))
    assert satisfied(sets, quorum, voters) == possible


@given(st.lists(members, min_size=1, max_size=3), st.data())
def test_a8_an_assignment_is_honest_and_as_large_as_can_be(sets: list[frozenset[str]], data: st.DataObject) -> None:
    quorums = data.draw(st.lists(st.integers(1, 3), min_size=len(sets), max_size=len(sets)))
    found = assign(sets, quorums)
    everybody = [person for chosen in found.persons for person in chosen]
    assert len(everybody) == len(set(everybody)), "nobody counts twice"
    for chosen, one, quorum in zip(found.persons, sets, quorums, strict=True):
        assert chosen <= one
        assert len(chosen) <= quorum
    best = max(
        sum(min(count, quorum) for count, quorum in zip(counts, quorums, strict=True))
        for counts in assignments(sets, PEOPLE)
    )
    assert len(everybody) == best
    assert found.complete == (best == sum(quorums))
    assert sum(found.missing) == sum(quorums) - best


@given(st.lists(members, min_size=1, max_size=3), st.integers(1, 3), st.frozensets(st.sampled_from(PEOPLE)))
def test_more_votes_never_unsatisfy(sets: list[frozenset[str]], quorum: int, voters: frozenset[str]) -> None:
    if satisfied(sets, quorum, voters):
        assert satisfied(sets, quorum, voters | set(PEOPLE))


def test_a8_one_person_in_two_groups_does_not_satisfy_both() -> None:
    both = frozenset({"kim"})
    assert not satisfied([both, both], 1, both)
    assert satisfied([both, both | {"sam"}], 1, frozenset({"kim", "sam"}))


def test_a_person_is_moved_to_where_they_are_needed() -> None:
    # greedy counting gives kim to the first set and leaves the second empty
    assert satisfied([frozenset({"kim", "sam"}), frozenset({"kim"})], 1, frozenset({"kim", "sam"}))


def test_a8_more_than_the_quorum_is_enough() -> None:
    assert satisfied([frozenset("abcd")], 2, frozenset("abcd"))


def test_nothing_to_satisfy_is_not_satisfied() -> None:
    assert not satisfied([], 1, frozenset({"kim"}))
    assert not satisfied([frozenset()], 1, frozenset({"kim"}))


@pytest.mark.parametrize("quorum", [0, -1, [1, 0], [1], [1, 1, 1]])
def test_a_quorum_that_asks_nothing_is_refused(quorum: int | list[int]) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        assign([frozenset("a"), frozenset("b")], quorum)


def test_the_same_people_are_assigned_each_time() -> None:
    sets = [frozenset(PEOPLE), frozenset(PEOPLE[:3])]
    assert len({assign(sets, 2) for _ in range(20)}) == 1
