"""The main server's HTTP: stricter than RFC 9112 asks, and answers in one piece where they are ready at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from consentry.doors.http.ending import end
from consentry.doors.http.limits import USUAL
from consentry.doors.http.wire import check_version

if TYPE_CHECKING:
    from asyncio import Transport

SMALL = 1 << 16
"""Bytes up to which a copy costs less than another system call."""


class StrictHttp(HttpToolsProtocol):
    """Refuses what two readers could read differently (threat H8).

    A target that names a scheme and host: uvicorn would drop them, and nobody behind could see them. Chunks in
    HTTP/1.0, and what is of neither version.
    """

    def on_headers_complete(self) -> None:
        if not self.url.startswith(b"/"):
            raise ValueError("the target is not in origin form")  # answered with 400, like all that is no HTTP
        check_version(self.parser.get_http_version(), self.headers)
        super().on_headers_complete()
        self.cycle.transport = cast("Transport", Joined(self.transport, self.loop))


class Joined:
    """A transport for one answer that sends its head together with the body, where that follows at once."""

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""

    def write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head and len(data) <= SMALL:
            self._transport.write(head + data)
        elif head:
            self._transport.write(head)
            self._transport.write(data)
        elif data.endswith(b"\r\n\r\n"):  # a head, as a rule; what is none loses nothing by waiting for its turn
            self._head = data
            self._loop.call_soon(self.flush)
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send the head alone: nothing came after it in time."""
        head, self._head = self._head, b""
        if head:
            self._transport.write(head)

    def close(self) -> None:
        self.flush()
        end(self._transport, USUAL.reader_s)

    def is_closing(self) -> bool:
        return self._transport.is_closing()
