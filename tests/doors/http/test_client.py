"""Whose answer an answer is, where upstreams answer early, twice or never, and bodies break off."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from consentry.doors.errors import UpstreamBroke, UpstreamSlow
from consentry.doors.http.client import Answer, Client
from consentry.doors.http.config import Upstream

HI = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
EVIL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"


class Server:
    """An upstream that does what a test says, connection by connection, outside of the loop."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(5.0)
        self.origin = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._opened: list[socket.socket] = []

    async def accept(self) -> socket.socket:
        found, _ = await asyncio.to_thread(self._listening.accept)
        found.settimeout(5.0)
        self._opened.append(found)
        return found

    def nobody_comes(self) -> bool:
        self._listening.settimeout(0.0)
        try:
            self._listening.accept()
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        for one in [*self._opened, self._listening]:
            one.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    with contextlib.closing(Server()) as found:
        yield found


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    found = Client(Upstream("shop", server.origin, timeout_s=5.0))
    yield found
    await found.close()


class Body:
    """A body of two pieces; the second comes, or does not, when the test says."""

    size = 6

    def __init__(self, fails: bool = False, first: bytes = b"abc") -> None:
        self.go_on, self.ended = asyncio.Event(), asyncio.Event()
        self._fails = fails
        self._first = first

    async def pieces(self) -> AsyncIterator[bytes]:
        try:
            if self._first:
                yield self._first
            await self.go_on.wait()
            if self._fails:
                raise ValueError
            yield b"def"
        finally:
            self.ended.set()


async def whole(answer: Answer) -> bytes:
    try:
        return b"".join([piece async for piece in answer.pieces()])
    finally:
        answer.close()


async def get(client: Client) -> bytes:
    return await whole(await client.send("GET", "/", [], None, chunked=False))


async def post(client: Client) -> bytes:
    return await whole(await client.send("POST", "/", [], None, chunked=False))


async def answered(server: Server, asked: asyncio.Task[bytes], answer: bytes) -> tuple[socket.socket, bytes]:
    upstream = await server.accept()
    await asyncio.to_thread(upstream.recv, 4096)
    upstream.sendall(answer)
    return upstream, await asked


async def test_a_connection_is_used_again(server, client):
    upstream, data = await answered(server, asyncio.create_task(get(client)), HI)
    again = asyncio.create_task(get(client))
    await asyncio.to_thread(upstream.recv, 4096)
    upstream.sendall(HI)
    assert (data, await again) == (b"hi", b"hi")
    assert server.nobody_comes()


@pytest.mark.parametrize("chunked", [True, False])
async def test_h8_no_request_follows_one_whose_body_broke_off(server, client, chunked):
    body = Body(fails=True)
    sending = asyncio.create_task(client.send("POST", "/", [], body, chunked=chunked))
    upstream = await server.accept()
    await asyncio.to_thread(upstream.recv, 4096)
    upstream.sendall(HI)
    answer = await sending
    body.go_on.set()
    await body.ended.wait()
    await asyncio.sleep(0)
    assert await whole(answer) == b"hi"
    _, data = await answered(server, asyncio.create_task(get(client)), HI)  # on a connection of its own
    assert data == b"hi"
    rest = b""
    with contextlib.suppress(ConnectionResetError):
        rest = await asyncio.to_thread(upstream.recv, 4096)
    assert b"GET" not in rest


async def test_h8_no_request_follows_one_that_is_still_being_sent(server, client):
    body = Body()
    sending = asyncio.create_task(client.send("POST", "/", [], body, chunked=True))
    upstream = await server.accept()
    await asyncio.to_thread(upstream.recv, 4096)
    upstream.sendall(HI)
    assert await whole(await sending) == b"hi"
    await body.ended.wait()
    _, data = await answered(server, asyncio.create_task(get(client)), HI)
    assert data == b"hi"


async def test_h8_a_second_answer_does_not_go_to_who_is_slow_to_ask(server, client):
    upstream, _ = await answered(server, asyncio.create_task(get(client)), HI)
    body = Body(first=b"")
    sending = asyncio.create_task(client.send("POST", "/", [], body, chunked=True))
    await asyncio.sleep(0)  # the connection is taken, and nothing is written
    upstream.sendall(EVIL)
    with pytest.raises(UpstreamBroke):
        await sending


@pytest.mark.parametrize("came", [EVIL, b""], ids=["a second answer", "its end"])
async def test_h8_what_the_loop_has_not_read_yet_is_nobodys_answer(server, client, came):
    upstream, _ = await answered(server, asyncio.create_task(get(client)), HI)
    if came:
        upstream.sendall(came)
    else:
        upstream.shutdown(socket.SHUT_WR)
    _, data = await answered(server, asyncio.create_task(post(client)), HI)
    assert data == b"hi"


async def test_a_body_is_not_read_on_once_the_upstream_has_gone(server, client):
    body = Body()
    sending = asyncio.create_task(client.send("POST", "/", [], body, chunked=True))
    upstream = await server.accept()
    await asyncio.to_thread(upstream.recv, 4096)
    upstream.close()
    with pytest.raises(UpstreamBroke):
        await sending
    assert body.ended.is_set()


@pytest.mark.parametrize(
    "endless",
    [b"HTTP/1.1 103 Early Hints\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 4096],
    ids=["interim answers", "an extension of a chunk"],
)
async def test_what_never_ends_is_no_answer(server, client, endless):
    asked = asyncio.create_task(get(client))
    upstream = await server.accept()
    await asyncio.to_thread(upstream.recv, 4096)

    def flood() -> None:
        with contextlib.suppress(ConnectionError):
            upstream.sendall(endless)
            while True:
                upstream.sendall(endless if b"103" in endless else b"x" * 4096)

    flooding = asyncio.create_task(asyncio.to_thread(flood))
    with pytest.raises(UpstreamBroke):
        await asked
    await flooding


async def test_h8_who_leaves_takes_the_connection_along(server, client):
    asked = asyncio.create_task(get(client))
    upstream = await server.accept()
    await asyncio.to_thread(upstream.recv, 4096)
    asked.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    with contextlib.suppress(ConnectionError):
        upstream.sendall(EVIL)
    _, data = await answered(server, asyncio.create_task(get(client)), HI)
    assert data == b"hi"


class Long:
    """A body of many pieces, each a little late."""

    size = 20

    async def pieces(self) -> AsyncIterator[bytes]:
        for _ in range(self.size):
            await asyncio.sleep(0.03)
            yield b"x"


async def test_an_upload_may_take_longer_than_an_upstream_may_be_silent(server):
    """What is still on its way is not waited for in vain; the time runs from its last byte."""
    client = Client(Upstream("shop", server.origin, timeout_s=0.3))
    asked = asyncio.create_task(client.send("POST", "/", [], Long(), chunked=False))
    upstream = await server.accept()
    data = b""
    while not data.endswith(b"\r\n\r\n" + b"x" * Long.size):
        piece = await asyncio.to_thread(upstream.recv, 4096)
        assert piece, "the upload was given up"
        data += piece
    upstream.sendall(HI)
    assert await whole(await asked) == b"hi"
    await client.close()


async def test_an_upstream_that_takes_no_more_of_an_upload_is_slow(server):
    client = Client(Upstream("shop", server.origin, timeout_s=0.3))
    body = Body(first=bytes(64 << 20))
    body.go_on.set()
    asked = asyncio.create_task(client.send("POST", "/", [], body, chunked=True))
    await server.accept()
    with pytest.raises(UpstreamSlow):
        await asked
    await client.close()
