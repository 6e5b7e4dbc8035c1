"""Answers that are held back: event streams and long polls. So many in all, and of those a share for each caller.

A caller is a person, agent or service, over all of its sessions: a new token is no new share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from consentry.errors import ConsentryError, Unavailable
from consentry.server.settings import LimitSettings

RETRY_AFTER_S = 5


class TooManyStreams(Unavailable):
    """No more event streams can be opened here."""

    code = "too_many_streams"


class TooManyWaiting(Unavailable):
    """No more callers can wait here."""

    code = "too_many_waiting"


class ShareUsedUp(ConsentryError):
    """The caller holds as many streams or waiting calls as one may; `Retry-After` says when to ask again."""

    code = "share_used_up"
    status = 429
    seconds = RETRY_AFTER_S


class Places:
    """Places of one kind. `taken` is how many are held now."""

    def __init__(self, total: int, share: int, full: Callable[[], Unavailable]) -> None:
        """`share` is what one caller may have, in percent, and at least one place; `full` is raised without any."""
        self.taken = 0
        self._total = total
        self._each = max(1, total * share // 100)
        self._full = full
        self._by_caller: Counter[str] = Counter()

    @contextmanager
    def take(self, caller: str) -> Iterator[None]:
        """A place until the end of the block. Raises `ShareUsedUp`, `TooManyStreams`, `TooManyWaiting`."""
        if self._by_caller[caller] >= self._each:
            raise ShareUsedUp(
                f"you hold {self._each} answers of this kind already, which is the share of one caller: end one, or "
                "raise `limits.share`"
            )
        if self.taken >= self._total:
            raise self._full()
        self.taken += 1
        self._by_caller[caller] += 1
        try:
            yield
        finally:
            self.taken -= 1
            self._by_caller[caller] -= 1
            if not self._by_caller[caller]:
                del self._by_caller[caller]


class HeldStream(StreamingResponse):
    """A stream that holds a place from before its first byte until it ends, however it ends."""

    def __init__(self, places: Places, caller: str, content: AsyncIterator[bytes], headers: dict[str, str]) -> None:
        super().__init__(content, 200, headers, "text/event-stream")
        self._places, self._caller = places, caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._places.take(self._caller):
            await super().__call__(scope, receive, send)


def streams(limits: LimitSettings) -> Places:
    """The places of event streams."""
    return Places(
        limits.streams, limits.share,
        lambda: TooManyStreams("too many event streams are open: close one, or raise `limits.streams`"),
    )  # fmt: skip


def waits(limits: LimitSettings) -> Places:
    """The places of callers that wait."""
    return Places(
        limits.waits, limits.share,
        lambda: TooManyWaiting("too many callers wait: ask again later, or raise `limits.waits`"),
    )  # fmt: skip
