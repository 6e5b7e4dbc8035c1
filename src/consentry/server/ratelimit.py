"""How many attempts to sign in may fail in a minute from one address. Nobody guesses 256 bits; this keeps it quiet.

Only failures are refused: behind a proxy everybody has one address, and a token that holds must get in, whoever else
fails there.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable

from consentry.server.problems import TooManyAttempts

WINDOW_S = 60.0
MAX_ADDRESSES = 10_000


class Attempts:
    """Failed attempts of the last minute, by address. The memory is bounded."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def failed(self, address: str) -> None:
        """Note a failure. Raises `TooManyAttempts` where the last minute has seen too many."""
        times = self._recent(address)
        if times is not None and len(times) >= self._limit:
            raise TooManyAttempts(max(1, round(times[0] + WINDOW_S - self._clock())))
        self._failed.setdefault(address, deque(maxlen=self._limit)).append(self._clock())
        self._failed.move_to_end(address)
        while len(self._failed) > MAX_ADDRESSES:
            self._failed.popitem(last=False)

    def _recent(self, address: str) -> deque[float] | None:
        times = self._failed.get(address)
        if times is None:
            return None
        while times and times[0] <= self._clock() - WINDOW_S:
            times.popleft()
        if not times:
            del self._failed[address]
            return None
        return times
