"""What a listener bears of its callers, so that nobody holds it up by dribbling bytes or by coming too often."""

from __future__ import annotations

from dataclasses import dataclass

SLOWEST = 1024
"""Bytes in a second: a body that comes faster than this may take as long as it is long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are in seconds.

    `head_s`: until the first request, or the rest of a head, is there. `body_s`: how long a body may be waited for,
    beside the time that its length takes. `reader_s`: how long an answer may lie there before more of it is taken.
    `connections`: how many may be open at once.
    """

    head_s: float = 10.0
    body_s: float = 30.0
    reader_s: float = 300.0
    connections: int = 25_000


USUAL = Limits()
