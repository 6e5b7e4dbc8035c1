"""Ids: a prefix that says what it is, then a time-ordered part and one that nobody can guess."""

from __future__ import annotations

import os
import time


def new_id(prefix: str) -> str:
    """A new id such as `act_019a…`: 48 bits of milliseconds, then 80 random bits, in hex.

    The time part keeps rows that are made together close together on disk and in order of making.
    """
    return f"{prefix}_{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
