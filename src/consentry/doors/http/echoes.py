"""Answers without the credentials that the gate added to the request, when the upstream repeats them (invariant 11)."""

from __future__ import annotations

import asyncio
import zlib

from consentry.doors.echo import SHORTEST, Echo, EchoStream
from consentry.doors.http import wire
from consentry.doors.http.errors import Unreadable
from consentry.doors.http.filters import CODINGS, Filter

AT_ONCE = 1 << 18
TAKEN = frozenset({"identity", *CODINGS})


class Watched:
    """The last filter of an answer: what another let through is looked at.

    What is packed passes as it is. A credential in there cannot be covered: the answer ends. Raises `Unreadable`.
    """

    def __init__(self, inner: Filter, echo: Echo, *, pass_unreadable: bool) -> None:
        self.whole = inner.whole
        self._inner = inner
        self._echo = echo
        self._stream = EchoStream(echo)
        self._pass_unreadable = pass_unreadable
        self._packed: _Packed | None = None
        self._unread = self._passed_unread = False

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Called before anything is fed: how the answer is packed stands there."""
        headers = self._inner.headers(headers)
        coding = ", ".join([value.strip().lower() for name, value in headers if name == "content-encoding"])
        if coding in CODINGS:
            self._packed = _Packed(coding, self._stream)
        elif coding not in ("", "identity"):
            if not self._pass_unreadable:
                raise Unreadable(
                    "the answer is packed so that nobody can see whether it repeats the gate's credentials"
                )
            self._unread = True
        return [(name, value if name in wire.ABOUT_ITSELF else self._header(value)) for name, value in headers]

    def _header(self, value: str) -> str:
        covered = self._echo.text(value) if len(value) >= SHORTEST else value
        self._stream.found = self._stream.found or covered != value
        return covered

    async def feed(self, data: bytes) -> bytes:
        return await self._look(await self._inner.feed(data))

    async def finish(self) -> bytes:
        last = await self._look(await self._inner.finish())
        return last if self._packed is not None or self._unread else last + self._stream.finish()

    def notes(self) -> tuple[str, ...]:
        notes = self._inner.notes()
        notes = (*notes, "repeated the gate's credentials, which were covered") if self._stream.found else notes
        return (*notes, "passed unread") if self._passed_unread else notes

    async def _look(self, data: bytes) -> bytes:
        if self._unread:
            self._passed_unread = True
            return data
        if self._packed is None:
            return self._stream.feed(data)
        await self._packed.look(data)
        return data


class _Packed:
    """Unpacks what passes, only to look at it."""

    def __init__(self, coding: str, stream: EchoStream) -> None:
        self._coding = coding
        self._stream = stream
        self._unpacking = zlib.decompressobj(CODINGS[coding])

    async def look(self, data: bytes) -> None:
        try:
            while data:
                await asyncio.sleep(0)  # little may unpack to much: others are not to wait for it
                self._stream.feed(self._unpacking.decompress(data, AT_ONCE))
                data = self._unpacking.unconsumed_tail
                if self._unpacking.eof:
                    data = self._unpacking.unused_data
                    self._unpacking = zlib.decompressobj(CODINGS[self._coding])
        except zlib.error:
            raise Unreadable("the upstream's answer is not packed as it says") from None
        if self._stream.found:
            raise Unreadable(
                "the upstream's answer repeats the gate's credentials, packed so that they cannot be covered"
            )


def taken(value: str) -> str:
    """Of the packings that a caller takes, those that can be looked into."""
    kept = [part.strip() for part in value.split(",") if part.partition(";")[0].strip().lower() in TAKEN]
    return ", ".join(kept) or "identity"
