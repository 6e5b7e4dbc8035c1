"""A bare reverse proxy: fifty lines of aiohttp that judge and record nothing. `bare_http_proxy.py UPSTREAM PORT`."""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

HOP_BY_HOP = {
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
UPSTREAM, PORT = sys.argv[1], int(sys.argv[2])


async def handle(request: web.Request) -> web.StreamResponse:
    session: aiohttp.ClientSession = request.app["session"]
    headers = [(name, value) for name, value in request.headers.items() if name.lower() not in HOP_BY_HOP]
    body = request.content if request.body_exists else None
    async with session.request(
        request.method, UPSTREAM + request.raw_path, headers=headers, data=body, allow_redirects=False
    ) as answer:
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_BY_HOP]
        response = web.StreamResponse(status=answer.status, headers=kept)
        await response.prepare(request)
        async for piece in answer.content.iter_any():
            await response.write(piece)
        await response.write_eof()
        return response


async def session(app: web.Application) -> AsyncIterator[None]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(
        connector=connector, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
    ) as one:
        app["session"] = one
        yield


logging.disable()  # each client that leaves early would be told of at length
app = web.Application(client_max_size=1 << 30)
app.router.add_route("*", "/{path:.*}", handle)
app.cleanup_ctx.append(session)
web.run_app(app, host="127.0.0.1", port=PORT, print=None, access_log=None)
