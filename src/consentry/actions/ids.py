"""Ids: a prefix that says what it is, then a time-ordered part and one that nobody can guess."""

from __future__ import annotations

import os
import time


def new_id(prefix: str) -> str:
    """A new id such as `act_019a…`: 48 bits of milliseconds, then 80 random bits, in hex.

    The time part keeps rows that are made together close together on disk and in order of making.
    """
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{_random()}"


_BYTES = 10
_ready: list[str] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_ready.clear)  # a child must not give the ids that its parent gives


def _random() -> str:
    """80 random bits in hex. The kernel is asked for those of many ids at once; each is given once."""
    try:
        return _ready.pop()
    except IndexError:
        data = os.urandom(_BYTES * 64).hex()
        _ready.extend(data[at : at + 2 * _BYTES] for at in range(2 * _BYTES, len(data), 2 * _BYTES))
        return data[: 2 * _BYTES]
