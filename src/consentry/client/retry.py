"""When to try again and how long to rest. Pure: randomness comes in as an argument.

Full jitter (Brooker, "Exponential backoff and jitter", 2015): many callers of a server that comes back do not arrive
together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Rests of a random length up to `base_s` doubled each time, never above `cap_s`."""

    base_s: float = 0.1
    cap_s: float = 5.0

    def rest_s(self, attempt: int, random: Callable[[], float]) -> float:
        """How long to rest after failed attempt number `attempt` (from 0); `random` answers in 0…1."""
        return min(self.cap_s, self.base_s * float(2 ** min(attempt, 20))) * random()


def poll_s(longest_s: float, left_s: float | None, random: Callable[[], float]) -> float:
    """How long one long poll shall last: spread over the last third, and never past the caller's own deadline."""
    spread = longest_s * (2 + random()) / 3
    return spread if left_s is None else max(0.0, min(spread, left_s))
