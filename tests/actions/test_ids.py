"""Ids: unique, sortable by time, not guessable."""

from __future__ import annotations

import os
import re

import pytest

from consentry.actions import ids, new_id


def test_ids_have_a_prefix_and_128_bits() -> None:
    assert re.fullmatch(r"act_[0-9a-f]{32}", new_id("act"))


def test_ids_do_not_repeat() -> None:
    assert len({new_id("x") for _ in range(20_000)}) == 20_000


def test_ids_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    for milliseconds in (1, 2, 1_000, 1_700_000_000_000, 1_700_000_000_001):
        monkeypatch.setattr(ids.time, "time_ns", lambda at=milliseconds: at * 1_000_000)
        made.append(new_id("x"))
    assert made == sorted(made)


def test_ids_of_one_moment_cannot_be_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids.time, "time_ns", lambda: 1)
    one, other = new_id("x"), new_id("x")
    assert one[:14] == other[:14] == "x_000000000000"
    assert one[14:] != other[14:]


def test_a_forked_process_gives_other_ids_than_its_parent() -> None:
    new_id("x")  # more are ready by now
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, new_id("x").encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(reading, 100).decode()[14:]
    os.close(reading)
    os.close(writing)
    assert len(theirs) == 20
    assert theirs not in {new_id("x")[14:] for _ in range(200)}
