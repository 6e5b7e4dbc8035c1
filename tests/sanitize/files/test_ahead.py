"""Things made in a thread ahead of their use: in order, with their errors, and no further than anybody wants them."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from consentry.sanitize.files.ahead import ahead


def test_all_items_come_in_their_order() -> None:
    assert list(ahead(range(1_000))) == list(range(1_000))
    assert list(ahead([])) == []


def test_what_making_an_item_raises_is_raised_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("torn")

    seen: list[int] = []
    with pytest.raises(ValueError, match="torn"):
        seen.extend(ahead(items()))
    assert seen == [1, 2]


def test_no_more_are_made_than_wait_and_are_wanted() -> None:
    made: list[int] = []
    room = threading.Semaphore(0)

    def items() -> Iterator[int]:
        for one in range(1_000):
            made.append(one)
            room.release()
            yield one

    taken = ahead(items(), depth=2)
    assert next(taken) == 0
    for _ in range(4):  # one in use, two that wait, one in hand
        assert room.acquire(timeout=30)
    assert len(made) == 4
    taken.close()  # type: ignore[attr-defined]
    assert len(made) == 4
    assert not [one for one in threading.enumerate() if one.name == "ahead"]


def test_items_are_made_in_another_thread() -> None:
    assert set(ahead(threading.get_ident() for _ in range(3))) != {threading.get_ident()}
