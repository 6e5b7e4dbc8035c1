"""One request and its answer at the caller's side, whichever server it came through."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol


class CallerLeft(Exception):
    """The caller hung up while the answer was written. Nobody is there to be told."""


class Exchange(Protocol):
    """A request that was taken, and the way back. The task that serves it is cancelled when the caller leaves."""

    @property
    def method(self) -> str: ...

    @property
    def target(self) -> str:
        """What stands after the method in the request line, or its part behind the resource's name."""

    @property
    def raw_headers(self) -> Sequence[tuple[bytes, bytes]]: ...

    @property
    def peer(self) -> str | None:
        """The caller's address."""

    @property
    def secure(self) -> bool:
        """Whether it came over TLS."""

    @property
    def has_body(self) -> bool: ...

    def body(self) -> AsyncIterator[bytes]:
        """The body, as it comes and no faster than it is taken."""

    @property
    def started(self) -> bool:
        """Whether the head of the answer is out."""

    @property
    def events(self) -> bool:
        """Whether what has been started is a stream of events."""

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """The head of the answer. Like the rest of it, raises `CallerLeft`."""

    async def write(self, data: bytes) -> None:
        """Returns once there is room for more."""

    async def end(self) -> None: ...

    def cut(self) -> None:
        """Close the connection: the answer is not whole, and the caller is to see that."""
