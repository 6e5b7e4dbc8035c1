"""WebSocket connections (RFC 6455), relayed message by message, each way no faster than the other side takes it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from consentry.doors.echo import Echo
from consentry.doors.errors import UpstreamBroke, UpstreamDown
from consentry.doors.http.cleaning import Cleaner, JsonBroken
from consentry.doors.http.client import Client
from consentry.doors.http.upgrading import UpgradableExchange

LARGEST = 4 << 20
LAST_WORDS_S = 1.0
_PROTOCOL = "sec-websocket-protocol"
_UNSUPPORTED = 1003
_BROKEN = 1011


async def relay(
    exchange: UpgradableExchange,
    client: Client,
    target: str,
    headers: Sequence[tuple[str, str]],
    cleaner: Cleaner | None,
) -> int:
    """Connect both sides until one closes; the code that it closed with. Raises `UpstreamFailed` before that.

    With a cleaner, texts from the upstream are masked one by one, and what is no text ends the connection.
    """
    offered = [one.strip() for name, value in headers if name == _PROTOCOL for one in value.split(",")]
    url = URL(client.upstream.origin + target, encoded=True)
    own = CIMultiDict([(name, value) for name, value in headers if name != _PROTOCOL])
    try:
        behind = await client.session.ws_connect(url, headers=own, protocols=offered, max_msg_size=LARGEST)
    except aiohttp.WSServerHandshakeError as error:
        raise UpstreamBroke(f"the upstream does not upgrade: it answers {error.status}") from None
    except (aiohttp.ClientError, OSError, TimeoutError):
        raise UpstreamDown("the upstream cannot be reached, or answers with a redirect: nothing was upgraded") from None
    async with behind:
        front = web.WebSocketResponse(
            protocols=[behind.protocol] if behind.protocol else (), max_msg_size=LARGEST, compress=False
        )
        exchange.started, exchange.answer = True, front
        await front.prepare(exchange.request)
        inwards = asyncio.create_task(_pass(front, behind, None))
        outwards = asyncio.create_task(_pass(behind, front, cleaner, client.upstream.echo))
        try:
            await _until_one_ends(inwards, outwards)
            code = (inwards if inwards.done() else outwards).result()
        finally:
            for task in (inwards, outwards):
                task.cancel()
            await asyncio.gather(inwards, outwards, return_exceptions=True)
        closing = asyncio.gather(front.close(code=code), behind.close(code=code), return_exceptions=True)
        with suppress(asyncio.CancelledError):  # the caller hangs up as soon as it has closed
            await asyncio.shield(closing)
    return code


async def _until_one_ends(inwards: asyncio.Task[int], outwards: asyncio.Task[int]) -> None:
    """A caller who hangs up cancels us; what it said before is read first."""
    try:
        await asyncio.wait({inwards, outwards}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        await asyncio.wait({inwards}, timeout=LAST_WORDS_S)
        if not inwards.done():
            raise


Side = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


async def _pass(source: Side, sink: Side, cleaner: Cleaner | None, echo: Echo | None = None) -> int:
    """Messages of one side to the other; the code with which that side closed."""
    while True:
        message = await source.receive()
        if message.type is aiohttp.WSMsgType.TEXT:
            text = message.data if cleaner is None else _masked(message.data, cleaner)
            await sink.send_str(echo.text(text) if echo else text)
        elif message.type is aiohttp.WSMsgType.BINARY:
            if cleaner is not None:
                return _UNSUPPORTED
            await sink.send_bytes(echo.cover(message.data) if echo else message.data)
        elif message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
            code = message.data if message.type is aiohttp.WSMsgType.CLOSE else source.close_code
            return code if isinstance(code, int) and 1000 <= code < 5000 and code not in (1005, 1006, 1015) else 1000
        else:
            return _BROKEN


def _masked(text: str, cleaner: Cleaner) -> str:
    try:
        return cleaner.json(text)
    except JsonBroken:
        return cleaner.text(text)
