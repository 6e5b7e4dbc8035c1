"""The ledger's page: how large, how fresh, by which keys, and where an auditor goes on."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from consentry.ledger.checkpoint import read_checkpoint
from consentry.ledger.keys import parse_keys
from consentry.server.auth import Auditor, services
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router

router = page_router()


@router.get("/ledger")
async def ledger(request: Request, who: Auditor) -> Response:
    """The newest checkpoint and the keys; or, with `action`, on to that action's entries."""
    parts = services(request)
    wanted = request.query_params.get("action", "").strip()
    if wanted:
        await parts.visibility.require_action(who, wanted)
        return see_other(f"/actions/{wanted}")
    gate = parts.gate
    page, size, note, keys, health = await asyncio.gather(
        frame(parts, who, "ledger"),
        gate.ledger_size(),
        gate.ledger_file("checkpoint"),
        gate.ledger_keys(),
        gate.health(),
    )
    checkpoint = None if note is None else read_checkpoint(note)
    return html(
        "ledger.html",
        shell=page.shell,
        now_ms=page.now_ms,
        size=size,
        note="" if note is None else note.decode(),
        checkpoint=checkpoint,
        root="" if checkpoint is None else checkpoint.root.hex(),
        keys=parse_keys(keys.decode()),
        health=health,
        origin=parts.origin,
    )
