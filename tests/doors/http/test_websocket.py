"""WebSocket connections through a listener."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

EMAIL = "ada.lovelace@example.org"


def connect(gateway, path="/ws", **more):
    url = gateway.url(path).replace("http:", "ws:")
    return gateway.http.ws_connect(url, headers={"authorization": f"Bearer {gateway.token}"}, **more)


async def test_messages_pass_both_ways(start, upstream, allow, monkeypatch):
    monkeypatch.setenv("UP_KEY", "of-the-gate")
    async with start(policy=allow(), http={"websocket": True, "bearer": "env:UP_KEY"}) as gateway:
        async with connect(gateway, "/ws?room=1", protocols=("chat", "other")) as ws:
            assert ws.protocol == "chat"
            await ws.send_str("hello")
            assert await ws.receive_str() == "echo hello"
            await ws.send_bytes(b"\x00" * 200_000)
            assert await ws.receive_bytes() == b"\x00" * 200_000
            await ws.send_str("bye")
            assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
            assert ws.close_code == 4001
        assert await gateway.outcome() == ("succeeded", "upgraded, closed 4001")
        action, _ = (await gateway.settled())[0]
    assert action.arguments["upgrade"] == "websocket"
    assert upstream.lines == ["WEBSOCKET /ws?room=1"]
    assert upstream.header("authorization") == ["Bearer of-the-gate"]


async def test_the_real_websockets_client(start, upstream, allow):
    websockets = pytest.importorskip("websockets", reason="the websockets library is not installed")
    async with start(policy=allow(), http={"websocket": True}) as gateway:
        url = gateway.url("/ws").replace("http:", "ws:")
        given = {"authorization": f"Bearer {gateway.token}"}
        async with websockets.connect(url, additional_headers=given, proxy=None) as ws:
            await ws.send("one")
            assert await ws.recv() == "echo one"
        assert await gateway.outcome() == ("succeeded", "upgraded, closed 1000")


async def test_it_is_no_read(start, upstream):
    """The starter policies let reads pass; a connection in both directions is asked about."""
    async with start(http={"websocket": True}) as gateway:
        waiting = asyncio.create_task(_echo(gateway))
        request = await gateway.asked()
        assert request.facts.values["method"] == "WEBSOCKET"
        await gateway.vote()
        assert await waiting == "echo x"


async def _echo(gateway) -> str:
    async with connect(gateway) as ws:
        await ws.send_str("x")
        return await ws.receive_str()


@pytest.mark.parametrize("settings", [{}, {"websocket": False}])
async def test_unless_allowed_nothing_is_upgraded(start, upstream, allow, settings):
    async with start(policy=allow(), http=settings) as gateway:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await _echo(gateway)
    assert caught.value.status == 400
    assert upstream.requests == []


async def test_e9_texts_are_masked_and_nothing_else_passes(start, upstream, allow):
    began = start(policy=allow('@mask("EMAIL_ADDRESS")'), http={"websocket": True})
    async with began as gateway, connect(gateway) as ws:
        await ws.send_str(EMAIL)
        assert await ws.receive_str() == "echo <EMAIL_ADDRESS>"
        await ws.send_bytes(b"\x00")
        assert (await ws.receive()).type is aiohttp.WSMsgType.CLOSE
        assert ws.close_code == 1003


async def test_a_caller_who_leaves_closes_the_upstream(start, upstream, allow):
    async with start(policy=allow(), http={"websocket": True}) as gateway:
        ws = await connect(gateway)
        await ws.send_str("x")
        await ws.receive_str()
        ws._response.connection.transport.abort()
        state, summary = await gateway.outcome()
        await ws.close()
    assert state in ("succeeded", "failed")
    assert summary.startswith("upgraded")
