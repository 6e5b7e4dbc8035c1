"""Who may look at what: a person sees what they are behind, what they could decide, and, as an auditor, everything."""

from __future__ import annotations

from consentry.actions import Action
from consentry.consent.eligibility import authors_of
from consentry.consent.errors import UnknownAction, UnknownRequest
from consentry.consent.gate import Gate
from consentry.consent.model import Decision, Request
from consentry.server.pages.frame import Frame


async def may_see_request(gate: Gate, page: Frame, request: Request) -> bool:
    """Whether the person may see a request."""
    return page.sees_all or request.id in page.waiting.mine or await gate.may_see(page.me, request)


async def may_see_action(gate: Gate, page: Frame, action: Action, decision: Decision) -> bool:
    """Whether the person may see an action: their own and their agents', and those of requests that they may see."""
    if page.sees_all or page.roster.canonical(page.me) in authors_of(action.actor, page.roster):
        return True
    if decision.request_id is None:
        return False
    return await gate.may_see(page.me, await gate.request(decision.request_id))


async def seen_request(gate: Gate, page: Frame, request_id: str) -> Request:
    """The request. Raises `UnknownRequest` also where it is not this person's to know of."""
    request = await gate.request(request_id)
    if not await may_see_request(gate, page, request):
        raise UnknownRequest("there is no such request, or it is not yours to see")
    return request


async def seen_action(gate: Gate, page: Frame, action_id: str) -> tuple[Action, Decision]:
    """The action and where it stands. Raises `UnknownAction` also where it is not this person's to know of."""
    action, decision = await gate.action(action_id), await gate.decision(action_id)
    if not await may_see_action(gate, page, action, decision):
        raise UnknownAction("there is no such action, or it is not yours to see")
    return action, decision
