"""One HTTP answer: a JSON object, or a stream of events as soon as something comes before the result."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Send

from consentry.actions import JsonObject
from consentry.doors.mcp.errors import METHOD_NOT_FOUND, RpcError
from consentry.doors.mcp.streams import Stream
from consentry.doors.mcp.wire import Id, Message, Notification, Request, Response, encode, event

ALIVE_S = 15.0
JSON_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
STREAM_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
]
Asking = Callable[[Request], Awaitable[JsonObject]]


class Reply:
    """A channel to one client request over HTTP. `asking` waits for the client's answer where the era has such.

    What is said on a stream goes to `kept`, too, where the client may take it up again after it was cut off.
    """

    def __init__(
        self,
        send: Send,
        *,
        headers: list[tuple[bytes, bytes]],
        asking: Asking | None,
        streams: bool,
        kept: Stream | None = None,
        primes: bool = False,
    ) -> None:
        self._kept = kept
        self._primes = primes
        self._gone = False
        self._send = send
        self._headers = headers
        self._asking = asking
        self._streams = streams
        self._started = False
        self._ended = False
        self._writing = asyncio.Lock()
        self._asked = 0
        self._alive: asyncio.Task[None] | None = None

    async def notify(self, method: str, params: JsonObject) -> None:
        await self.stream(Notification(method, params))

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        if self._asking is None or not self._streams:
            raise RpcError(METHOD_NOT_FOUND, "the client does not answer this here")
        self._asked += 1
        request = Request(f"ask-{id(self):x}-{self._asked}", method, params)
        answer: asyncio.Future[JsonObject] = asyncio.ensure_future(self._asking(request))
        await asyncio.sleep(0)  # so that its answer is awaited before the question is out
        try:
            await self.stream(request)
            return await answer
        finally:
            answer.cancel()

    async def stream(self, message: Message) -> None:
        """Send something before the result. A client that takes no streams goes without."""
        if not self._streams or self._ended:
            return
        async with self._writing:
            await self._begin()
            await self.again(event(message) if self._kept is None else self._kept.add(message))

    async def again(self, data: bytes) -> None:
        """Send an event as it is."""
        if not self._gone:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    @property
    def resumable(self) -> bool:
        """Whether the client knows enough to take the stream up again."""
        return self._kept is not None and self._started

    async def open(self) -> None:
        """Begin the stream with nothing to say yet."""
        async with self._writing:
            await self._begin()
            await self._send({"type": "http.response.body", "body": b": open\n\n", "more_body": True})

    async def end(self, one_id: Id | None, result: JsonObject | None, error: RpcError | None) -> None:
        """The result or the error, and nothing after it."""
        self._ended = True
        if self._alive is not None:
            self._alive.cancel()
        response = Response(one_id, result, error)
        async with self._writing:
            if self._started:
                data = event(response) if self._kept is None else self._kept.add(response)
                if self._kept is not None:
                    self._kept.close()
                if not self._gone:
                    await self._send({"type": "http.response.body", "body": data, "more_body": False})
                return
            status = 200 if error is None else error.http_status
            await send_json(self._send, encode(response), status, self._headers)

    async def _begin(self) -> None:
        if self._started:
            return
        self._started = True
        headers = [*STREAM_HEADERS, *self._headers]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        if self._kept is not None and self._primes:
            await self.again(self._kept.prime())
        self._alive = asyncio.create_task(self._stay_alive())

    async def _stay_alive(self) -> None:
        """A comment now and then keeps what is between us and the client from hanging up."""
        while True:
            await asyncio.sleep(ALIVE_S)
            async with self._writing:
                await self._send({"type": "http.response.body", "body": b":\n\n", "more_body": True})

    def drop(self) -> None:
        """The client is gone. What is still said is kept, where it may come back."""
        self._gone = True
        self._ended = not self.resumable
        if self._alive is not None:
            self._alive.cancel()


async def send_json(send: Send, body: bytes, status: int, headers: list[tuple[bytes, bytes]]) -> None:
    """A whole answer."""
    length = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": [*JSON_HEADERS, *length, *headers]})
    await send({"type": "http.response.body", "body": body})


async def send_empty(send: Send, status: int, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    """An answer without a body."""
    await send(
        {"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0"), *(headers or [])]}
    )
    await send({"type": "http.response.body", "body": b""})
