"""What an upstream's bytes are taken for, in whatever pieces they come."""

from __future__ import annotations

import asyncio
import socket

import pytest

from consentry.doors.http.connection import LONGEST_HEAD, READ_SIZE, Connection, Ended, NotHttp

OK = b"HTTP/1.1 200 OK\r\n"


class Transport:
    """Takes what is written, and remembers what else it was told."""

    def __init__(self) -> None:
        self.written = b""
        self.paused = self.closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def abort(self) -> None:
        self.closed = True


async def opened(*, bodiless: bool = False, timeout_s: float = 5.0) -> tuple[Connection, Transport]:
    connection, transport = Connection(bytearray(READ_SIZE), timeout_s), Transport()
    connection.connection_made(transport)
    connection.begin(bodiless=bodiless)
    await connection.write(b"")
    return connection, transport


def give(connection: Connection, data: bytes, size: int = READ_SIZE) -> None:
    for start in range(0, len(data), size):
        part = data[start : start + size]
        connection.get_buffer(-1)[: len(part)] = part
        connection.buffer_updated(len(part))


async def whole(connection: Connection) -> bytes:
    parts = []
    while part := await connection.piece():
        parts.append(part)
    return b"".join(parts)


async def everything(connection: Connection) -> bytes:
    await connection.head()
    return await whole(connection)


@pytest.mark.parametrize("size", [1, 7, READ_SIZE])
@pytest.mark.parametrize(
    ("answer", "bodiless", "body", "usable"),
    [
        (OK + b"Content-Length: 5\r\n\r\nhello", False, b"hello", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n", False, b"hello", True),
        (OK + b"Content-Length: 5\r\n\r\n", True, b"", True),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", True, b"", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", False, b"", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", False, b"", True),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", False, b"", False),
        (b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", False, b"", False),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", False, b"", True),
        (OK + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello", False, b"hello", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", False, b"hello", False),
    ],
)
async def test_an_answer_ends_where_its_head_says(answer, bodiless, body, usable, size):
    connection, _ = await opened(bodiless=bodiless)
    give(connection, answer, size)
    assert (await connection.head()).status == int(answer.split()[1])
    assert await whole(connection) == body
    assert connection.at_end
    assert connection.usable is usable


@pytest.mark.parametrize("framing", [b"", b"Transfer-Encoding: gzip\r\n"])
async def test_without_a_length_it_ends_with_the_connection(framing):
    connection, _ = await opened()
    give(connection, OK + framing + b"\r\nhello")
    assert await connection.piece() == b"hello"
    assert not connection.at_end
    connection.connection_lost(None)
    assert await connection.piece() == b""
    assert not connection.usable


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH\r\n",
        OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        OK + b"A: b\0c\r\n\r\n",
        OK + b"A: " + b"x" * LONGEST_HEAD,
    ],
    ids=["another protocol", "two lengths", "length and chunks", "nul", "endless head"],
)
async def test_h8_what_has_two_meanings_or_none_is_no_answer(answer):
    connection, _ = await opened()
    give(connection, answer)
    assert not connection.usable
    with pytest.raises(NotHttp):
        await everything(connection)


async def test_h8_what_nobody_asked_for_is_nobodys_answer():
    connection, transport = await opened()
    give(connection, OK + b"Content-Length: 2\r\n\r\nhi" + OK + b"Content-Length: 4\r\n\r\nevil")
    assert await everything(connection) == b"hi"
    assert not connection.usable
    connection, transport = await opened()
    give(connection, OK + b"Content-Length: 2\r\n\r\nhi")
    assert connection.usable
    give(connection, OK)
    assert transport.closed
    assert not connection.usable


async def test_h8_what_comes_before_a_request_is_not_its_answer():
    connection, transport = await opened()
    give(connection, OK + b"Content-Length: 2\r\n\r\nhi")
    await everything(connection)
    connection.begin(bodiless=False)  # and its body is still on the way to us
    give(connection, OK + b"Content-Length: 4\r\n\r\nevil")
    assert transport.closed
    with pytest.raises(NotHttp):
        await connection.head()


async def test_h8_a_name_ends_before_the_spaces_behind_it():
    connection, _ = await opened()
    give(connection, OK + b"Content-Length : 0\r\n\r\n")
    assert await connection.head() == (200, [(b"Content-Length", b"0")])
    assert connection.usable


async def test_closing_does_not_wait_for_who_does_not_read():
    ours, theirs = socket.socketpair()
    with theirs:
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(bytearray(READ_SIZE), 5.0), sock=ours
        )
        connection.begin(bodiless=False)
        writing = asyncio.create_task(connection.write(b"x" * (10 << 20)))
        await asyncio.sleep(0)
        assert not writing.done()
        connection.close()
        await asyncio.wait_for(writing, 5.0)
        with pytest.raises(Ended):
            await connection.head()


@pytest.mark.parametrize("came", [b"", OK, OK + b"Content-Length: 5\r\n\r\nhel"])
async def test_half_an_answer_is_none(came):
    connection, _ = await opened()
    give(connection, came)
    connection.connection_lost(None)
    with pytest.raises(Ended):
        await everything(connection)
    with pytest.raises(Ended):
        await connection.write(b"more")


async def test_interim_heads_come_before_the_final_one():
    connection, _ = await opened()
    give(connection, b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + OK + b"A:  b \r\nContent-Length: 0\r\n\r\n")
    assert (await connection.head()).status == 103
    assert await connection.head() == (200, [(b"A", b"b"), (b"Content-Length", b"0")])
    assert connection.usable


async def test_reading_stops_until_somebody_takes_what_came():
    connection, transport = await opened()
    give(connection, OK + b"Content-Length: 1000000\r\n\r\n")
    give(connection, b"x" * READ_SIZE)
    assert transport.paused
    assert await connection.piece() == b"x" * READ_SIZE
    assert not transport.paused


async def test_writing_waits_until_there_is_room():
    connection, transport = await opened()
    connection.pause_writing()
    writing = asyncio.create_task(connection.write(b"much"))
    await asyncio.sleep(0)
    assert transport.written == b"much"
    assert not writing.done()
    connection.resume_writing()
    await writing


async def test_silence_ends_the_waiting():
    connection, _ = await opened(timeout_s=0.01)
    with pytest.raises(TimeoutError):
        await connection.head()
