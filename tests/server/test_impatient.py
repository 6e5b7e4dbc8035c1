"""Slow and endless senders, byte by byte on a socket: they are let go, and whoever is only waiting is not."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest

from consentry.doors.http.limits import Limits

LIMITS = {"head_time": "1s", "body_time": "1s", "head": 4096}
PATIENCE_S = 30


class Socket:
    """A bare connection to a server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def answer(self) -> tuple[int, dict[str, object]]:
        """Everything until the server closes: its status and the problem document."""
        data = await asyncio.wait_for(self.reader.read(), PATIENCE_S)
        head, _, body = data.partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)

    async def cut_off(self) -> bool:
        """Whether the server ends it while more is on its way; what it says of that may be lost by a reset."""
        try:
            data = await asyncio.wait_for(self.reader.read(), PATIENCE_S)
        except ConnectionResetError:
            return True
        return data.startswith(b"HTTP/1.1 408 ")

    async def dribble(self, data: bytes, every_s: float) -> None:
        """One byte at a time until the server has had enough."""
        for byte in data:
            self.writer.write(bytes((byte,)))
            try:
                await self.writer.drain()
            except ConnectionError:
                return
            await asyncio.sleep(every_s)


@pytest.fixture
async def connect(start):
    opened: list[Socket] = []
    async with start(limits=LIMITS) as server:

        async def begin() -> Socket:
            port = server.services.settings.server.port
            opened.append(Socket(*await asyncio.open_connection("127.0.0.1", port)))
            return opened[-1]

        begin.server = server
        yield begin
        for one in opened:
            one.writer.close()


def _head(server, path: str, *lines: str, method: str = "POST") -> bytes:
    host = server.services.origin.removeprefix("http://")
    auth = f"authorization: Bearer {server.admin.token}"
    return "\r\n".join((f"{method} {path} HTTP/1.1", f"host: {host}", auth, *lines, "", "")).encode()


async def test_a_connection_that_asks_nothing_is_closed(connect) -> None:
    silent = await connect()
    assert await asyncio.wait_for(silent.reader.read(), PATIENCE_S) == b""


async def test_a_head_that_comes_byte_by_byte_is_refused(connect) -> None:
    slow = await connect()
    sending = asyncio.create_task(slow.dribble(b"GET / HTTP/1.1\r\nx-a: " + b"a" * 3000, 0.02))
    assert await slow.cut_off()
    sending.cancel()


async def test_a_head_that_stops_is_refused(connect) -> None:
    stuck = await connect()
    stuck.writer.write(b"GET / HTTP/1.1\r\nx-a: ")
    status, problem = await stuck.answer()
    assert status == problem["status"] == 408
    assert problem["type"] == "urn:consentry:problem:too_slow"
    assert problem["detail"] == "the head came too slowly: send it faster"


async def test_a_second_head_on_a_kept_connection_is_timed_too(connect) -> None:
    slow = await connect()
    slow.writer.write(_head(connect.server, "/healthz", method="GET"))
    assert (await slow.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    slow.writer.write(b"GET /healthz HT")
    rest = await asyncio.wait_for(slow.reader.read(), PATIENCE_S)
    assert b"HTTP/1.1 408 " in rest


async def test_a_head_without_end_is_refused(connect) -> None:
    endless = await connect()
    endless.writer.write(b"GET / HTTP/1.1\r\nx-a: " + b"a" * 10_000)
    status, problem = await endless.answer()
    assert (status, problem["code"]) == (431, "header_too_large")


async def test_a_body_that_comes_byte_by_byte_is_refused(connect) -> None:
    slow = await connect()
    slow.writer.write(_head(connect.server, "/v1/actions", "content-type: application/json", "content-length: 1000"))
    sending = asyncio.create_task(slow.dribble(b"{" + b" " * 998, 0.02))
    assert await slow.cut_off()
    sending.cancel()


async def test_a_body_that_stops_is_refused(connect) -> None:
    stuck = await connect()
    lines = ("content-type: application/json", "transfer-encoding: chunked")
    stuck.writer.write(_head(connect.server, "/v1/actions", *lines) + b"1\r\n{\r\n")
    status, problem = await stuck.answer()
    assert (status, problem["code"]) == (408, "too_slow")


async def test_nothing_between_requests_stops_the_clock(connect) -> None:
    """Empty lines are allowed there, and are no request."""
    idle = await connect()
    idle.writer.write(_head(connect.server, "/healthz", method="GET"))
    head = await idle.reader.readuntil(b"\r\n\r\n")
    await idle.reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]))
    idle.writer.write(b"\r\n")
    assert await asyncio.wait_for(idle.reader.read(), PATIENCE_S) == b""


def _is_cut(sending: socket.socket) -> bool:
    """Whether the other side is gone: it answers the next bytes with a reset."""
    try:
        sending.send(b"GET")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return False


async def test_who_does_not_read_is_left(connect, monkeypatch) -> None:
    monkeypatch.setattr("consentry.server.impatient.USUAL", Limits(body_s=0.3, reader_s=0.3))
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.setblocking(False)
        loop, port = asyncio.get_running_loop(), connect.server.services.settings.server.port
        await loop.sock_connect(deaf, ("127.0.0.1", port))
        await loop.sock_sendall(deaf, _head(connect.server, "/openapi.json", method="GET") * 60)
        async with asyncio.timeout(PATIENCE_S):
            while not _is_cut(deaf):
                await asyncio.sleep(0.2)


async def test_a_caller_who_waits_may_have_begun_the_next_request(connect) -> None:
    server = connect.server
    ada, agent = await server.person("ada@example.org", "admins"), await server.agent("etl")
    asked = await server.submit(agent)
    waiting = await connect()
    waiting.writer.write(_head(server, f"/v1/actions/{asked['id']}?wait=30", method="GET") + b"GET /hea")
    await asyncio.sleep(2.5)  # longer than a head may take
    await server.vote(ada, asked["request_id"])
    assert (await asyncio.wait_for(waiting.reader.readuntil(b"\r\n"), PATIENCE_S)).startswith(b"HTTP/1.1 200")


async def test_a_body_that_came_quickly_may_not_stop_for_long(connect) -> None:
    """What came earns time for as many seconds as it has KiB, but not to send nothing."""
    stuck = await connect()
    lines = ("content-type: application/json", "content-length: 900000")
    stuck.writer.write(_head(connect.server, "/v1/actions", *lines) + b"{" + b" " * 500_000)
    status, problem = await stuck.answer()
    assert (status, problem["code"]) == (408, "too_slow")


async def test_no_more_connections_than_allowed_are_open(start) -> None:
    async with start(limits={"connections": 2}) as server:
        port = server.services.settings.server.port
        held = [Socket(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(2)]
        for one in held:
            one.writer.write(_head(server, "/healthz", method="GET"))
            assert (await one.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        held.append(Socket(*await asyncio.open_connection("127.0.0.1", port)))
        status, problem = await held[-1].answer()
        assert (status, problem["code"]) == (503, "too_many_connections")
        for one in held:
            one.writer.close()


async def test_a_long_body_has_the_time_of_its_length(connect) -> None:
    """Above the least speed it may take longer than `body_time`."""
    steady = await connect()
    body = b'{"operation": "dataset.read", "resource": "books"' + b" " * 6000 + b"}"
    lines = ("content-type: application/json", f"content-length: {len(body)}", "connection: close")
    steady.writer.write(_head(connect.server, "/v1/actions", *lines))
    for start in range(0, len(body), 100):  # 5,000 bytes in a second for 1.2 seconds
        steady.writer.write(body[start : start + 100])
        await steady.writer.drain()
        await asyncio.sleep(0.02)
    status, answer = await steady.answer()
    assert (status, answer["state"]) == (201, "allowed")


async def test_a_caller_that_only_waits_is_left_alone(connect) -> None:
    server = connect.server
    ada, agent = await server.person("ada@example.org", "admins"), await server.agent("etl")
    asked = await server.submit(agent)
    waiting = await connect()
    path = f"/v1/actions/{asked['id']}?wait=30"
    waiting.writer.write(_head(server, path, "connection: close", method="GET"))
    while not server.services.waits.taken:
        await asyncio.sleep(0.01)
    await asyncio.sleep(1.2)  # longer than any of the limits
    await server.vote(ada, asked["request_id"])
    status, answer = await waiting.answer()
    assert (status, answer["state"]) == (200, "approved")


async def test_a_caller_that_was_not_told_to_go_on_is_left_alone(connect) -> None:
    """With `Expect: 100-continue`, it is the server's turn until it asks for the body."""
    polite = await connect()
    body = b'{"operation": "dataset.read", "resource": "books"}'
    lines = (
        "content-type: application/json",
        f"content-length: {len(body)}",
        "expect: 100-continue",
        "connection: close",
    )
    polite.writer.write(_head(connect.server, "/v1/actions", *lines))
    assert (await polite.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
    polite.writer.write(body)
    assert (await polite.answer())[0] == 201
