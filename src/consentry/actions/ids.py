"""Ids: a prefix that says what it is, then a time-ordered random part that nobody can guess."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]


def new_id(prefix: str) -> str:
    """A new id such as `act_01jz…`: 48 bits of milliseconds, then 82 random bits, in Crockford base 32.

    The time part keeps rows that are made together close together on disk; it is not read back.
    """
    value = (time.time_ns() // 1_000_000 & 0xFFFFFFFFFFFF) << 82 | int.from_bytes(os.urandom(11)) & (1 << 82) - 1
    pairs = [_PAIRS[value >> shift & 0x3FF] for shift in range(120, -1, -10)]
    return f"{prefix}_{''.join(pairs)}"
