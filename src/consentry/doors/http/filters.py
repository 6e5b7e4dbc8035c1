"""What an answer goes through on its way to the caller, piece by piece."""

from __future__ import annotations

import zlib
from typing import Protocol

from consentry.doors.http.errors import Unreadable

_STALE = frozenset(
    {
        "accept-ranges",
        "content-digest",
        "content-encoding",
        "content-length",
        "content-md5",
        "content-range",
        "digest",
        "etag",
        "repr-digest",
    }
)
"""Headers that speak of the bytes as they were."""
RATIO = 200
LEAST_LIMIT = 1 << 20
CODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 47}


class Filter(Protocol):
    """Takes an answer in pieces and gives out what may pass. `whole` gives nothing before `finish`.

    Raises `Unreadable`, or anything else that goes wrong: then nothing more passes (threat E9).
    """

    whole: bool

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]: ...

    async def feed(self, data: bytes) -> bytes: ...

    async def finish(self) -> bytes: ...

    def notes(self) -> tuple[str, ...]:
        """What the outcome says of the answer: never its content."""


def fresh(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers without those that no longer hold once a body is changed."""
    return [one for one in headers if one[0] not in _STALE]


class Plain:
    """Lets everything pass."""

    whole = False

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return headers

    async def feed(self, data: bytes) -> bytes:
        return data

    async def finish(self) -> bytes:
        return b""

    def notes(self) -> tuple[str, ...]:
        return ()


class Unpacked:
    """Unpacks a compressed answer before another filter, up to limits: a small answer must not fill the memory."""

    def __init__(self, inner: Filter, coding: str) -> None:
        self.whole = inner.whole
        self._inner = inner
        self._unpacking = zlib.decompressobj(CODINGS[coding])
        self._in = self._out = 0

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return self._inner.headers(headers)

    async def feed(self, data: bytes) -> bytes:
        self._in += len(data)
        given = []
        try:
            while data:
                part = self._unpacking.decompress(data, 1 << 18)
                self._out += len(part)
                if self._out > max(LEAST_LIMIT, RATIO * self._in):
                    raise Unreadable("the upstream's answer unpacks to far more than it is")
                given.append(await self._inner.feed(part))
                data = self._unpacking.unconsumed_tail
        except zlib.error:
            raise Unreadable("the upstream's answer is not packed as it says") from None
        return b"".join(given)

    async def finish(self) -> bytes:
        if not self._unpacking.eof:
            raise Unreadable("the upstream's answer ends before what is packed in it does")
        return await self._inner.finish()

    def notes(self) -> tuple[str, ...]:
        return self._inner.notes()
