"""Calls to a provider over HTTP, with their failures in our words: what surely did not happen, and what may have.

Every call is one attempt: what may be sent twice is decided by the delivery.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self

from consentry.channels.model import SendFailed

if TYPE_CHECKING:
    import aiohttp

TIMEOUT_S = 10


class Caller:
    """Who has one HTTP session while it is used as a context."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        import aiohttp  # which takes a tenth of a second: for those who have a channel that needs it

        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """Raises `SendFailed` outside of the context."""
        if self._session is None:
            raise SendFailed("the channel is not open")
        return self._session


@contextmanager
def one_attempt(unreached: str, what: str) -> Iterator[None]:
    """Raises `SendFailed` for what goes wrong with the connection; `unreached` is said where there was none.

    Where there was one, nobody knows whether `what` was done.
    """
    import aiohttp

    try:
        yield
    except aiohttp.ClientConnectorError:
        raise SendFailed(unreached) from None
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
        raise SendFailed(f"{what} was lost: {type(error).__name__}", ambiguous=True) from None


def wait_ms(text: str, otherwise_ms: int = 5_000) -> int:
    """`Retry-After` in seconds, as milliseconds, an hour at most; `otherwise_ms` where it does not say."""
    return min(3600, int(text)) * 1000 if text.isascii() and text.isdecimal() else otherwise_ms
