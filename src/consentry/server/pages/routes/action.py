"""The page of one action, and putting a change of policy in force once people have consented to it."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from consentry.ledger.keys import parse_keys
from consentry.server.auth import Person, services
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.pages.views.action import view

router = page_router()


@router.get("/actions/{action_id}")
async def show(request: Request, action_id: str, who: Person) -> Response:
    """Where it stands, its entries as a timeline, its receipt and what the verifier says."""
    parts = services(request)
    page = await frame(parts, who, "history")
    await parts.visibility.require_action(who, action_id)
    action, decision = await parts.gate.action(action_id), await parts.gate.decision(action_id)
    receipt, keys = await asyncio.gather(parts.gate.receipt(action_id), parts.gate.ledger_keys())
    may_apply = action.operation == "policy.change" and decision.granted and action.actor == who.actor
    shown = view(action, decision, receipt, parse_keys(keys.decode()), page.roster, may_apply=may_apply)
    return html("action.html", shell=page.shell, now_ms=page.now_ms, action=shown)


@router.post("/actions/{action_id}/apply")
async def apply(request: Request, action_id: str, who: Person) -> Response:
    """Claim an approved `policy.change` and let it take force."""
    gate = services(request).gate
    claim = await gate.claim(action_id, who.actor)
    await gate.apply_policy(claim.id, who.actor)
    return see_other("/policies")
