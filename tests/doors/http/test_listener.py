"""What callers send to a listener, byte by byte, and what it makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

from consentry.doors.http.answering import HELD
from consentry.doors.http.ending import end
from consentry.doors.http.errors import Ambiguous, TooSlow
from consentry.doors.http.limits import USUAL, Limits
from consentry.doors.http.listener import Listener
from consentry.doors.http.taking import LONGEST_HEAD

HOST = b"host: a\r\n"


@contextlib.asynccontextmanager
async def listening(handle, limits=USUAL):
    listener = Listener(handle, "127.0.0.1", 0, limits=limits)
    await listener.start()
    try:
        yield listener
    finally:
        await listener.close()


async def echo(exchange):
    """Answers with the method, the target and the body."""
    try:
        body = b"".join([piece async for piece in exchange.body()])
    except Ambiguous:
        body = b"(broken)"
    data = b"%s %s %s" % (exchange.method.encode(), exchange.target.encode(), body)
    await exchange.start(200, [("content-length", str(len(data)))])
    await exchange.write(data)
    await exchange.end()


async def ignore(exchange):
    await exchange.start(200, [("content-length", "2")])
    await exchange.write(b"ok")
    await exchange.end()


async def stream(exchange):
    await exchange.start(200, [])
    await exchange.write(b"one")
    await exchange.write(b"two")
    await exchange.end()


async def sent(handle, data: bytes, size: int = 1 << 20) -> bytes:
    """Everything that comes back until the listener closes, or the caller does after the last answer."""
    async with listening(handle) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await asyncio.sleep(0)
        writer.write_eof() if b"last" in data else None
        answer = await asyncio.wait_for(reader.read(), 10)
        writer.close()
    return answer


def bodies(answer: bytes) -> list[bytes]:
    return [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("size", [1, 1 << 20])
async def test_requests_of_one_connection_are_answered_in_their_order(size):
    data = (
        b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\n"
        b"POST /2 HTTP/1.1\r\n" + HOST + b"content-length: 3\r\n\r\nabc"
        b"POST /3 HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n2\r\nde\r\n0\r\nt: 1\r\n\r\n"
        b"GET /4 HTTP/1.1\r\n" + HOST + b"connection: close\r\n\r\n"
    )
    answer = await sent(echo, data, size)
    assert bodies(answer) == [b"GET /1 ", b"POST /2 abc", b"POST /3 de", b"GET /4 "]
    assert answer.count(b"connection: close") == 1


@pytest.mark.parametrize(
    "bad",
    [
        b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding : chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\n" + HOST.replace(b"\r", b"") + b"\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"a: b\r\n c\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"a: b\0c\r\n\r\n",
        b"POST / HTTP/1.0\r\n" + HOST + b"connection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
    ],
    ids=["two lengths", "length and chunks", "space", "bare newlines", "folded", "nul", "1.0 and chunks", "0.9", "tls"],
)
@pytest.mark.parametrize("before", [b"", b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\n"], ids=["first", "after another"])
async def test_h8_what_two_readers_could_read_differently_ends_the_connection(before, bad):
    answer = await sent(echo, before + bad + b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b"smuggled" not in answer
    assert answer.endswith(b"connection: close\r\ncontent-length: 0\r\n\r\n")
    assert answer.count(b"HTTP/1.1 400") == 1
    assert answer.count(b"HTTP/1.1 200") == bool(before)


async def test_a_head_without_an_end_ends_the_connection():
    answer = await sent(echo, b"GET / HTTP/1.1\r\n" + HOST + b"a: " + b"x" * (2 * LONGEST_HEAD))
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_whoever_is_answered_early_may_send_the_rest_and_reads_the_answer():
    size = 16 << 20
    async with listening(ignore) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"POST / HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % size)
        for _ in range(size >> 20):
            writer.write(bytes(1 << 20))
            await writer.drain()
        assert bodies(await asyncio.wait_for(reader.read(), 10)) == [b"ok"]
        writer.close()


async def test_h8_a_body_that_breaks_off_is_not_a_whole_one():
    data = b"POST / HTTP/1.1\r\n" + HOST + b"transfer-encoding: chunked\r\n\r\n2\r\nab\r\nnonsense\r\n"
    answer = await sent(echo, data + b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b"(broken)" in answer
    assert b"smuggled" not in answer


async def test_h8_what_is_left_of_a_body_is_not_the_next_request():
    inside = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
    data = b"POST / HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % (len(inside) + HELD) + inside
    assert bodies(await sent(ignore, data)) == [b"ok"]


@pytest.mark.parametrize(
    ("request_line", "after", "end"),
    [
        (
            b"GET / HTTP/1.1\r\nconnection: close\r\n",
            b"transfer-encoding: chunked",
            b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n",
        ),
        (b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n", b"connection: close", b"\r\n\r\nonetwo"),
        (b"HEAD / HTTP/1.1\r\nconnection: close\r\n", b"connection: close", b"\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_length_is_framed_as_the_caller_understands(request_line, after, end):
    answer = await sent(stream, request_line + HOST + b"\r\n")
    assert after in answer
    assert answer.endswith(end)
    assert b"server: consentry" in answer
    assert b"date: " in answer


async def test_whoever_hangs_up_ends_what_is_served():
    begun, left = asyncio.Event(), asyncio.Event()

    async def wait(exchange):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()

    async with listening(wait) as listener:
        _, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        await begun.wait()
        writer.close()
        await asyncio.wait_for(left.wait(), 10)


async def test_an_upload_is_read_no_faster_than_it_is_taken():
    taking = asyncio.Event()

    async def slow(exchange):
        await taking.wait()
        await echo(exchange)

    async with listening(slow) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        size = 32 << 20
        writer.write(b"POST / HTTP/1.1\r\n" + HOST + b"content-length: %d\r\n\r\n" % size)
        writer.write(b"x" * size)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.3)
        (connection,) = listener._open
        assert connection._reading._held <= 4 * HELD
        taking.set()
        assert b" 200 " in await reader.readline()
        await reader.readuntil(b"\r\n\r\n")
        assert len(await reader.readexactly(size + len("POST / "))) == size + 7
        writer.close()


async def test_a_header_with_a_lines_end_is_not_sent():
    async def split(exchange):
        with pytest.raises(ValueError, match="line's end"):
            await exchange.start(200, [("location", "a\r\nset-cookie: b")])
        await ignore(exchange)

    answer = await sent(split, b"GET / HTTP/1.1\r\nconnection: close\r\n" + HOST + b"\r\n")
    assert b"set-cookie" not in answer


# ---- callers that dribble, lie or crowd ----

HURRY = Limits(head_s=0.2, body_s=0.2, reader_s=0.2, connections=3)


async def left_with(data: bytes, *, drip: bytes = b"", handle=echo) -> bytes:
    """What a caller gets who sends this, and then at most a byte of `drip` in every 20 ms."""
    async with listening(handle, HURRY) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(data)
        answer = asyncio.ensure_future(reader.read())
        for byte in drip:
            if answer.done():
                break
            writer.write(bytes((byte,)))
            await asyncio.sleep(0.02)
        try:
            return await asyncio.wait_for(answer, 10)
        finally:
            writer.close()


async def test_a_connection_that_asks_nothing_is_closed():
    assert await left_with(b"") == b""


@pytest.mark.parametrize("before", [b"", b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\n"], ids=["first", "after another"])
@pytest.mark.parametrize("drip", [b"", b"x" * 2000], ids=["stops", "drips"])
async def test_a_head_that_does_not_end_is_refused(before, drip):
    answer = await left_with(before + b"GET /slow HTTP/1.1\r\n" + HOST + b"a: ", drip=drip)
    assert b"HTTP/1.1 408 " in answer
    assert answer.count(b"HTTP/1.1 200") == bool(before)


async def refusing(exchange):
    try:
        await echo(exchange)
    except TooSlow as error:
        await exchange.start(error.status, [("content-length", "0")])
        await exchange.end()


@pytest.mark.parametrize(
    ("first", "drip"), [(0, b""), (0, b"x" * 2000), (100_000, b"")], ids=["never begins", "drips", "begins well"]
)
async def test_a_body_that_does_not_end_is_refused(first, drip):
    """Many bytes at first earn time for as many seconds as they have KiB, but not to stop."""
    data = b"POST / HTTP/1.1\r\n" + HOST + b"content-length: 5000000\r\n\r\n" + b"x" * first
    assert (await left_with(data, drip=drip, handle=refusing)).startswith(b"HTTP/1.1 408 ")


async def test_time_does_not_count_while_nobody_wants_the_body():
    """Longer than `body_s` passes until a person has decided, say; the body is there at once when it is asked for."""

    async def late(exchange):
        await asyncio.sleep(2 * HURRY.body_s)
        await refusing(exchange)

    data = b"POST / HTTP/1.1\r\nconnection: close\r\n" + HOST + b"content-length: 3\r\n\r\n"
    assert bodies(await left_with(data, drip=b"abc", handle=late)) == [b"POST / abc"]


async def test_whoever_does_not_take_an_answer_is_left():
    ended = asyncio.Event()

    async def much(exchange):
        try:
            await exchange.start(200, [])
            while True:
                await exchange.write(bytes(1 << 20))
        finally:
            ended.set()

    async with listening(much, HURRY) as listener:
        with socket.create_connection(("127.0.0.1", listener.port)) as idle:
            idle.sendall(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            await asyncio.wait_for(ended.wait(), 10)


async def test_no_more_connections_than_allowed_are_open():
    async with listening(echo, Limits(connections=3)) as listener:
        held = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(3)]
        for reader, writer in held:
            writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
            assert (await reader.readuntil(b"GET / ")).startswith(b"HTTP/1.1 200 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 503 ")
        writer.close()
        held[0][1].close()
        while len(listener._open) > 2:
            await asyncio.sleep(0)
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
        assert (await reader.readuntil(b"GET / ")).startswith(b"HTTP/1.1 200 ")
        for _, one in [*held[1:], (reader, writer)]:
            one.close()


async def test_whoever_takes_no_answers_does_not_stay(monkeypatch):
    """Less than stops the writing may lie there, of many answers: the connection ends all the same."""
    monkeypatch.setattr("consentry.doors.http.taking.IDLE_S", 0.2)

    async def small(exchange):
        await exchange.start(200, [("content-length", "1000")])
        await exchange.write(bytes(1000))
        await exchange.end()

    async with listening(small, Limits(reader_s=60)) as listener:
        with socket.socket() as idle:
            idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            idle.setblocking(False)
            await asyncio.get_running_loop().sock_connect(idle, ("127.0.0.1", listener.port))
            for _ in range(100):
                with contextlib.suppress(BlockingIOError):
                    idle.send((b"GET / HTTP/1.1\r\n" + HOST + b"\r\n") * 100)
                await asyncio.sleep(0.005)
            (connection,) = listener._open
            async with asyncio.timeout(20):
                while listener._open:
                    connection.can_write.set()  # as where the system's buffers hold what they are given
                    await asyncio.sleep(0.02)


async def test_an_end_waits_for_a_reader_and_not_for_ever():
    """`close` waits until all is taken, which may be never."""
    made: list[asyncio.Transport] = []

    class Much(asyncio.Protocol):
        def connection_made(self, transport):
            made.append(transport)
            transport.write(bytes(64 << 20))
            end(transport, 0.3)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Much, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            async with asyncio.timeout(20):
                while not made or made[0].get_write_buffer_size():
                    await asyncio.sleep(0.02)


async def test_who_asks_for_a_websocket_counts_among_the_open():
    begun = asyncio.Event()

    async def hold(exchange):
        begun.set()
        await asyncio.Event().wait()

    upgrade = b"connection: upgrade\r\nupgrade: websocket\r\n"
    upgrade += b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    async with listening(hold, Limits(connections=1)) as listener:
        _, first = await asyncio.open_connection("127.0.0.1", listener.port)
        first.write(b"GET / HTTP/1.1\r\n" + HOST + upgrade + b"\r\n")
        await asyncio.wait_for(begun.wait(), 10)
        assert not listener._open
        reader, second = await asyncio.open_connection("127.0.0.1", listener.port)
        assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 503 ")
        first.close()
        second.close()
