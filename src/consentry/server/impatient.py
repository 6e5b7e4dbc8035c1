"""Callers that send slowly, or without end, are let go: nobody holds a connection by dribbling bytes (slowloris)."""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

from consentry.doors.http.ending import end
from consentry.doors.http.limits import SLOWEST, USUAL
from consentry.server.problems import MEDIA
from consentry.server.settings import LimitSettings
from consentry.server.strict_http import StrictHttp

_HEAD, _BODY = "head", "body"
_TITLES = {408: b"Request Timeout", 431: b"Request Header Fields Too Large", 503: b"Service Unavailable"}


def impatient(limits: LimitSettings) -> type[StrictHttp]:
    """The protocol of a server with these limits."""
    values = {"head_s": limits.head_time / 1000, "body_s": limits.body_time / 1000, "head_bytes": limits.head}
    return type("ImpatientHttp", (ImpatientHttp,), {**values, "most": limits.connections})


class ImpatientHttp(StrictHttp):
    """Waits so long for the head of a request, and so long for its body beside the time that its length takes.

    Time does not count while the server itself does not read: a body may wait until people have decided.
    """

    head_s: ClassVar[float]
    body_s: ClassVar[float]
    head_bytes: ClassVar[int]
    most: ClassVar[int]
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _awaits: str | None = _HEAD
    _since = _last = 0.0
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._since = time.monotonic()
        if len(self.connections) > self.most:
            self._refuse(503, b"too_many_connections", b"too many connections are open: try again later")
            return
        self._look_again(self.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self._awaits is None:  # the usual case: a whole request at once
            if self._is_idle():  # bytes between requests, at which uvicorn has forgotten its own clock
                self._await(_HEAD)
                self._look_again(self.head_s)
            elif self._timer is not None:
                self._stop()
            return
        self._received += len(data)
        self._last = time.monotonic()
        if self._awaits == _HEAD and self._received > self.head_bytes:
            self._refuse(431, b"header_too_large", b"the head is too large: send less, or raise `limits.head`")
        elif self._timer is None:
            self._look_again(self.head_s if self._awaits == _HEAD else self.body_s)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(USUAL.reader_s, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        if not self.transport.is_closing():
            end(self.transport, USUAL.body_s)

    # What the parser has come to.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await(_HEAD)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._await(_BODY)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaits = None

    def _await(self, what: str) -> None:
        self._awaits, self._received = what, 0
        self._since = self._last = time.monotonic()

    # The clock.

    def _look_again(self, seconds: float) -> None:
        self._stop()
        self._timer = self.loop.call_later(seconds, self._time_is_up)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        self._timer = None
        if self._awaits is None or self.transport.is_closing():
            return
        if self._is_our_turn():
            self._since = self._last = time.monotonic()
        if self._awaits == _HEAD:
            until = self._since + self.head_s
        else:
            until = min(self._since + self.body_s + self._received / SLOWEST, self._last + self.body_s)
        left = until - time.monotonic()
        if left > 0:
            self._look_again(left)
        elif self._awaits == _HEAD and not self._received:
            end(self.transport, USUAL.body_s)  # nothing was asked
        else:
            self._refuse(408, b"too_slow", b"the %s came too slowly: send it faster" % self._awaits.encode())

    def _is_idle(self) -> bool:
        return self.timeout_keep_alive_task is None and (self.cycle is None or self.cycle.response_complete)

    def _is_our_turn(self) -> bool:
        """Whether the caller need not send: nothing is read, an answer is still to come, or it was not told yet to go
        on (RFC 9110, 10.1.1)."""
        if self.flow.read_paused or self.cycle is None:
            return self.flow.read_paused
        if self._awaits == _HEAD:
            return not self.cycle.response_complete
        return bool(self.cycle.waiting_for_100_continue)

    def _refuse(self, status: int, code: bytes, detail: bytes) -> None:
        """Answer, where no answer has begun, and close. A handler that waits for the rest learns that it is gone."""
        self._stop()
        cycle = self.cycle if self._awaits == _BODY else None
        begun = cycle is not None and cycle.response_started
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        if not begun:
            title = _TITLES[status]
            body = b'{"type":"urn:consentry:problem:%s","title":"%s","status":%d,"detail":"%s","code":"%s"}' % (
                code, title, status, detail, code,
            )  # fmt: skip
            self.transport.write(
                b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
                % (status, title, MEDIA.encode(), len(body), body)
            )
        end(self.transport, USUAL.body_s)
