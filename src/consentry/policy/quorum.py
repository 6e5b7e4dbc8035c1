"""Counting votes: which persons stand for which reviewer set, when one person counts once only.

A stage is satisfied when every reviewer set has its quorum of persons of its own. Whether that is possible is a
bipartite matching between persons and places; greedy counting gets it wrong as soon as somebody is in two sets
(threats.md A8). Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Assignment:
    """A largest possible assignment of distinct persons to reviewer sets, in the order of the sets.

    `complete` is true when every set has as many persons as it needs.
    """

    persons: tuple[frozenset[str], ...]
    needed: tuple[int, ...]

    @property
    def complete(self) -> bool:
        # INVARIANT: nothing to satisfy is not satisfied; an empty stage must fail closed.
        return bool(self.needed) and all(
            len(have) >= need for have, need in zip(self.persons, self.needed, strict=True)
        )

    @property
    def missing(self) -> tuple[int, ...]:
        """How many more persons each set needs."""
        return tuple(max(0, need - len(have)) for have, need in zip(self.persons, self.needed, strict=True))


def assign(sets: Sequence[frozenset[str]], quorum: int | Sequence[int]) -> Assignment:
    """Give each set up to `quorum` distinct members (one number for all sets, or one for each); nobody twice.

    Kuhn's augmenting paths: O(places × memberships). Deterministic: sets and persons are taken in order.
    Raises `ValueError` for a quorum below 1 or one of another length than `sets`.
    """
    needed = (quorum,) * len(sets) if isinstance(quorum, int) else tuple(quorum)
    if len(needed) != len(sets) or any(need < 1 for need in needed):
        raise ValueError("each reviewer set needs a quorum of at least 1")
    members = [sorted(one) for one in sets]
    holder: dict[str, int] = {}
    for index, need in enumerate(needed):
        for _ in range(need):
            if not _augment(index, members, holder):
                break
    chosen: list[set[str]] = [set() for _ in sets]
    for person, index in holder.items():
        chosen[index].add(person)
    return Assignment(tuple(map(frozenset, chosen)), needed)


def satisfied(stage_sets_members: Sequence[frozenset[str]], quorum: int, approvers: frozenset[str]) -> bool:
    """Whether `approvers` give every set of a stage its `quorum` of distinct persons. More than enough is enough."""
    return assign([members & approvers for members in stage_sets_members], quorum).complete


def _augment(start: int, members: Sequence[Sequence[str]], holder: dict[str, int]) -> bool:
    """Find one more person for set `start`, moving others to their other sets where that frees somebody."""
    came_from: dict[str, tuple[int, str | None]] = {}
    queue: list[tuple[int, str | None]] = [(start, None)]
    for index, via in queue:
        for person in members[index]:
            if person in came_from or holder.get(person) == index:
                continue
            came_from[person] = (index, via)
            if person not in holder:
                _shift(person, came_from, holder)
                return True
            queue.append((holder[person], person))
    return False


def _shift(person: str, came_from: dict[str, tuple[int, str | None]], holder: dict[str, int]) -> None:
    step: str | None = person
    while step is not None:
        index, via = came_from[step]
        holder[step] = index
        step = via
