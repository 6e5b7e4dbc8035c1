"""The ledger as static files: checkpoint, tiles, keys (C2SP tlog-tiles). Open: it holds commitments only."""

from __future__ import annotations

import re

from starlette.responses import Response

from consentry.errors import NotFound
from consentry.server.access import ANYBODY, AUDITORS_ONLY
from consentry.server.endpoint import Call, Endpoint

_TILE = re.compile(r"(?:entries|[0-9]{1,2})(?:/x[0-9]{3}){0,5}/[0-9]{3}(?:\.p/[0-9]{1,3})?")
IMMUTABLE = "public, max-age=31536000, immutable"


async def checkpoint(call: Call) -> Response:
    return await _file(call, "checkpoint", "text/plain; charset=utf-8", "no-cache")


async def tile(call: Call) -> Response:
    path = call.path["path"]
    if not _TILE.fullmatch(path):
        raise NotFound("there is no such tile")
    return await _file(call, f"tile/{path}", "application/octet-stream", IMMUTABLE)


async def key(call: Call) -> Response:
    data = await call.services.gate.ledger_keys()
    return Response(data, 200, {"cache-control": "no-cache"}, "text/plain; charset=utf-8")


async def checkpoint_now(call: Call) -> Response:
    data = await call.services.gate.checkpoint_now()
    return Response(data, 201, {"cache-control": "no-store"}, "text/plain; charset=utf-8")


async def _file(call: Call, path: str, media: str, cache: str) -> Response:
    data = await call.services.gate.ledger_file(path)
    if data is None:
        raise NotFound("there is no such file in the ledger yet")
    return Response(data, 200, {"cache-control": cache}, media)


TEXT = "text/plain"
ENDPOINTS = (
    Endpoint(
        "GET", "/ledger/checkpoint", ANYBODY, checkpoint, "The newest signed checkpoint", "ledger",
        media=TEXT, errors=(NotFound,),
    ),
    Endpoint(
        "POST", "/v1/ledger/checkpoint", AUDITORS_ONLY, checkpoint_now, "Sign a checkpoint over everything, now",
        "ledger", media=TEXT, status=201,
    ),
    Endpoint("GET", "/ledger/key", ANYBODY, key, "The keys, with the sizes that each may sign", "ledger", media=TEXT),
    Endpoint(
        "GET", "/ledger/tile/{path:path}", ANYBODY, tile, "A tile of the tree or of its entries", "ledger",
        media="application/octet-stream", errors=(NotFound,),
    ),
)  # fmt: skip
