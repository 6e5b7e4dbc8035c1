"""Invariant 11: what the gate added to a request does not reach the caller when the upstream repeats it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import zlib

import pytest
from aiohttp import web

KEY = "sk-proj-aB3+xFgh/z9=0123456789"
HTTP = {"bearer": "env:API_KEY", "query": {"key": "env:API_KEY"}}
BOTH = pytest.mark.parametrize("main", [False, True], ids=["listener", "main"])


@pytest.fixture
def guarded(start, allow, monkeypatch):
    """A door that adds credentials, in front of the upstream."""
    monkeypatch.setenv("API_KEY", KEY)

    def begin(more: str = "", **http):
        return start(policy=allow(more), http={**HTTP, **http})

    return begin


def pieces(upstream, *parts: bytes, pause: bool = False, **headers: str) -> None:
    """The upstream answers in these pieces, each in a packet of its own."""

    async def answer(request, body):
        one = web.StreamResponse(headers={"content-type": "text/plain", **headers})
        await one.prepare(request)
        for part in parts:
            await one.write(part)
            await asyncio.sleep(0.01)
            if pause:
                await upstream.gate.wait()
        return one

    upstream.answers["echo"] = answer


@BOTH
async def test_a_debugging_answer_is_covered(guarded, upstream, main):
    async def dump(request, body):
        return web.json_response({"headers": dict(request.headers), "url": str(request.url), "n": 1})

    upstream.answers["echo"] = dump
    async with guarded() as gateway:
        status, body, _ = await gateway.fetch("GET", "/echo", main=main)
        assert upstream.header("authorization") == [f"Bearer {KEY}"]
        state, summary = await gateway.outcome()
    assert status == 200
    found = json.loads(body)
    assert found["headers"]["Authorization"] == f"Bearer {'*' * len(KEY)}"
    assert found["n"] == 1
    assert KEY not in body.decode()
    assert "aB3" not in found["url"]
    assert state == "succeeded"
    assert "repeated the gate's credentials" in summary
    assert KEY not in summary


@BOTH
@pytest.mark.parametrize("cut", [1, 4, 15, len(KEY) - 1])
async def test_a_credential_across_pieces_is_covered(guarded, upstream, main, cut):
    text = f"before {KEY} after".encode()
    pieces(upstream, text[: 7 + cut], text[7 + cut :])
    async with guarded() as gateway:
        _, body, _ = await gateway.fetch("GET", "/echo", main=main)
    assert body == b"before " + b"*" * len(KEY) + b" after"


async def test_a_credential_that_never_ends_is_given_out(guarded, upstream):
    pieces(upstream, b"before " + KEY[:9].encode())
    async with guarded() as gateway:
        _, body, _ = await gateway.fetch("GET", "/echo")
    assert body == b"before " + KEY[:9].encode()


async def test_an_event_waits_for_nothing(guarded, upstream):
    pieces(
        upstream, f"data: {KEY}\n\n".encode(), b"data: more\n\n", pause=True, **{"content-type": "text/event-stream"}
    )
    async with guarded() as gateway, gateway.call("GET", "/echo") as answer:
        assert await answer.content.readuntil(b"\n\n") == f"data: {'*' * len(KEY)}\n\n".encode()
        upstream.gate.set()
        assert await answer.content.readuntil(b"\n\n") == b"data: more\n\n"


async def test_headers_are_covered(guarded, upstream):
    encoded = base64.b64encode(f"x{KEY}".encode()).decode()

    async def answer(request, body):
        return web.Response(headers={"x-request": f"Authorization: Bearer {KEY}", "x-trace": encoded, "x-n": "1"})

    upstream.answers["echo"] = answer
    async with guarded() as gateway:
        _, _, headers = await gateway.fetch("GET", "/echo")
        _, summary = await gateway.outcome()
    assert KEY not in str(headers)
    assert encoded[4:-4] not in str(headers)
    assert headers["x-n"] == "1"
    assert "repeated the gate's credentials" in summary


@BOTH
async def test_with_masks_both_are_done(guarded, upstream, main):
    async def answer(request, body):
        return web.json_response({"mail": "ada.lovelace@example.org", "key": KEY})

    upstream.answers["echo"] = answer
    async with guarded('@mask("EMAIL_ADDRESS")') as gateway:
        _, body, _ = await gateway.fetch("GET", "/echo", main=main)
    assert json.loads(body) == {"mail": "<EMAIL_ADDRESS>", "key": "*" * len(KEY)}


PACKED = {"gzip": gzip.compress, "deflate": zlib.compress}


@pytest.mark.parametrize("coding", PACKED)
async def test_a_packed_answer_passes_as_it_is(guarded, upstream, coding):
    data = PACKED[coding](b"nothing of the kind " * 5000)

    async def answer(request, body):
        return web.Response(body=data, headers={"content-encoding": coding, "etag": '"1"'})

    upstream.answers["echo"] = answer
    async with guarded() as gateway:
        _, body, headers = await gateway.fetch("GET", "/echo", headers={"accept-encoding": "gzip;q=1, br, deflate"})
    assert upstream.header("accept-encoding") == ["gzip;q=1, deflate"]
    assert body == data
    assert headers["content-encoding"] == coding
    assert headers["etag"] == '"1"'


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(f"a key: {KEY}".encode())),
        ("gzip", gzip.compress(b"first") + gzip.compress(f"second: {KEY}".encode())),
        ("deflate", zlib.compress(f"a key: {KEY}".encode())),
        ("deflate", f"a key: {KEY}".encode()),
        ("gzip", f"a key: {KEY}".encode()),
    ],
    ids=["gzip", "second member", "deflate", "no deflate", "no gzip"],
)
async def test_a_credential_in_a_packed_answer_ends_it(guarded, upstream, coding, data):
    async def answer(request, body):
        return web.Response(body=data, headers={"content-encoding": coding})

    upstream.answers["echo"] = answer
    async with guarded() as gateway:
        head = f"GET /echo HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {gateway.token}\r\nconnection: close\r\n\r\n"
        _, found = await gateway.raw(head.encode())
        state, _ = await gateway.outcome()
    assert data not in found
    assert KEY.encode() not in found
    assert state == "failed"


@pytest.mark.parametrize(("passes", "status"), [(False, 502), (True, 200)])
async def test_a_packing_that_nobody_can_look_into(guarded, upstream, problem, passes, status):
    async def answer(request, body):
        return web.Response(body=b"\x0b\x02\x80", headers={"content-encoding": "br"})

    upstream.answers["echo"] = answer
    async with guarded(pass_unreadable=passes) as gateway:
        found, body, _ = await gateway.fetch("GET", "/echo")
        head = await gateway.fetch("HEAD", "/echo")
    assert found == status
    assert head[0] == 200
    assert body == b"\x0b\x02\x80" if passes else problem(body) == "unreadable_answer"


async def test_messages_of_a_websocket_are_covered(guarded):
    async with guarded(websocket=True) as gateway:
        headers = {"authorization": f"Bearer {gateway.token}"}
        async with gateway.http.ws_connect(gateway.url("/chat"), headers=headers) as socket:
            await socket.send_str(f"is it {KEY}?")
            assert await socket.receive_str() == f"echo is it {'*' * len(KEY)}?"
            await socket.send_bytes(KEY.encode())
            assert await socket.receive_bytes() == b"*" * len(KEY)


async def test_without_credentials_nothing_is_looked_for(start, allow, upstream):
    async with start(policy=allow()) as gateway:
        await gateway.fetch("GET", "/any", headers={"accept-encoding": "br"})
    assert upstream.header("accept-encoding") == ["br"]
