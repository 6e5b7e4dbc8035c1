"""Answers leave in one piece where they can, in order always."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from consentry.server.strict_http import SMALL, Joined

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


class Wire:
    """What a transport was told."""

    def __init__(self) -> None:
        self.told: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.told.append(data)

    def close(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.closed


@pytest.fixture
async def wire() -> Wire:
    return Wire()


def joined(wire: Wire) -> Joined:
    return Joined(cast("Any", wire), asyncio.get_running_loop())


async def test_a_head_leaves_with_its_body(wire: Wire) -> None:
    one = joined(wire)
    one.write(HEAD)
    one.write(b"ok")
    await asyncio.sleep(0)
    assert wire.told == [HEAD + b"ok"]


async def test_a_head_without_a_body_does_not_wait_for_it(wire: Wire) -> None:
    one = joined(wire)
    one.write(HEAD)
    await asyncio.sleep(0)
    assert wire.told == [HEAD]
    one.write(b"data: 1\n\n")
    assert wire.told == [HEAD, b"data: 1\n\n"]


async def test_a_large_body_is_not_copied(wire: Wire) -> None:
    one = joined(wire)
    body = bytes(SMALL + 1)
    one.write(HEAD)
    one.write(body)
    assert wire.told == [HEAD, body]


async def test_nothing_is_lost_by_closing(wire: Wire) -> None:
    one = joined(wire)
    one.write(HEAD)
    one.close()
    await asyncio.sleep(0)
    assert (wire.told, wire.closed, one.is_closing()) == ([HEAD], True, True)


async def test_parts_that_end_like_heads_keep_their_order(wire: Wire) -> None:
    one = joined(wire)
    for part in (HEAD, b"a\r\n\r\n", b"b\r\n\r\n", b"c"):
        one.write(part)
    await asyncio.sleep(0)
    assert b"".join(wire.told) == HEAD + b"a\r\n\r\nb\r\n\r\nc"


@pytest.mark.parametrize(
    "bad",
    [
        b"GET http://elsewhere/readyz HTTP/1.1\r\nhost: a\r\n\r\n",
        b"POST /readyz HTTP/1.0\r\nhost: a\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /readyz\r\n\r\n",
    ],
    ids=["absolute", "1.0 and chunks", "0.9"],
)
async def test_h8_what_two_readers_could_read_differently_ends_the_connection(server, bad: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.services.settings.server.port)
    writer.write(bad + b"GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
