"""The inbox: what waits, and beside it one request or a glance at the whole."""

from __future__ import annotations

import asyncio

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from consentry.consent.model import Ballot, BallotVerdict, Request, RequestQuery
from consentry.consent.states import RequestState
from consentry.errors import ConsentryError
from consentry.server.auth import Person, services
from consentry.server.pages.forms import InvalidForm, read_form
from consentry.server.pages.frame import Frame, frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.pages.routes.passkeys import signature
from consentry.server.pages.routes.policies import files_in_force
from consentry.server.pages.views import request as detail
from consentry.server.pages.views import requests as listing
from consentry.server.routes.passkeys import step_up
from consentry.server.services import Services

LEAST_MS = 1_500
"""How long a request must have been on the screen before a vote on it counts (threat D8)."""

MOST_MS = 12 * 3_600_000
"""After this long a page is looked at anew before a vote."""

DECIDED = 8
RECENT = 200

router = page_router()


class TooSoon(ConsentryError):
    """The vote came before a person could have read what it is about, or from a page of long ago."""

    code = "not_looked_at"
    status = 409


@router.get("/")
async def inbox(request: HttpRequest, who: Person) -> Response:
    """What waits for this person first, then what else they may see."""
    parts = services(request)
    page = await frame(parts, who, "inbox")
    return html(
        "inbox.html",
        shell=page.shell,
        now_ms=page.now_ms,
        inbox=await _list(parts, page),
        request=None,
        selected=None,
        glance=await _glance(parts, page),
    )


@router.get("/requests/{request_id}")
async def show(request: HttpRequest, request_id: str, who: Person) -> Response:
    """One request beside the list."""
    parts = services(request)
    page = await frame(parts, who, "inbox")
    return await _detail(parts, page, await parts.visibility.require_request(who, request_id))


@router.post("/requests/{request_id}/vote")
async def vote(request: HttpRequest, request_id: str, who: Person) -> Response:
    """A person's word, by the button that was pressed."""
    parts = services(request)
    form = await read_form(request)
    page = await frame(parts, who, "inbox")
    await parts.visibility.require_request(who, request_id)
    reason = form.optional("reason")
    try:
        check_shown(form.fields.get("shown_at", ""), page.now_ms)
        signed = signature(form.optional("assertion"))
        ballot = Ballot(_verdict(form.fields.get("verdict", "")), form.text("shown_digest"), reason, signed)
        await parts.gate.vote(request_id, who.voter("web"), ballot)
    except ConsentryError as error:
        now = await parts.gate.request(request_id)
        return await _detail(parts, page, now, error=error, reason=reason or "")
    return see_other(f"/requests/{request_id}")


@router.post("/requests/{request_id}/withdraw")
async def withdraw(request: HttpRequest, request_id: str, who: Person) -> Response:
    """An author takes the request back."""
    parts = services(request)
    form = await read_form(request)
    page = await frame(parts, who, "inbox")
    await parts.visibility.require_request(who, request_id)
    try:
        await parts.gate.withdraw(request_id, who.actor, form.optional("reason"))
    except ConsentryError as error:
        return await _detail(parts, page, await parts.gate.request(request_id), error=error)
    return see_other(f"/requests/{request_id}")


def check_shown(shown_at: str, now_ms: int, least_ms: int = LEAST_MS) -> None:
    """Raises `TooSoon` unless the page was made long enough ago to be read, and not too long."""
    if not (shown_at.isascii() and shown_at.isdecimal() and len(shown_at) < 16):
        raise TooSoon("the form does not say when it was shown: reload the page and look again")
    age = now_ms - int(shown_at)
    if age < least_ms:
        raise TooSoon("that was faster than anybody reads: look at what you decide, then press the button again")
    if age > MOST_MS:
        raise TooSoon("this page is from long ago: look at it again before you decide")


def _verdict(text: str) -> BallotVerdict:
    try:
        return BallotVerdict(text)
    except ValueError:
        raise InvalidForm("`verdict` must be `approve` or `deny`: press one of the two buttons") from None


async def _list(parts: Services, page: Frame) -> listing.Inbox:
    """The list, which stands beside every request."""
    others = [one for one in page.waiting.requests if one.id not in page.waiting.mine]
    seen = await asyncio.gather(*(parts.visibility.request(page.session, one) for one in others))
    hidden = {one.id for one, visible in zip(others, seen, strict=True) if not visible}
    shown = [one for one in page.waiting.requests if one.id not in hidden]
    return listing.inbox(shown, page.roster, lambda one: one.id in page.waiting.mine)


async def _glance(parts: Services, page: Frame) -> listing.Glance:
    recent = await parts.gate.requests(RequestQuery(limit=RECENT))
    decided = [one for one in recent if one.state is not RequestState.PENDING]
    decided.sort(key=lambda one: one.decided_at_ms or one.opened_at_ms, reverse=True)
    seen = [one for one in decided[: 4 * DECIDED] if await parts.visibility.request(page.session, one)]
    mine = [one for one in page.waiting.requests if one.id in page.waiting.mine]
    nearest = min(mine, key=lambda one: one.expires_at_ms, default=None)
    return listing.Glance(
        next_to_expire=None if nearest is None else listing.item(nearest, page.roster, mine=True),
        decided=tuple(listing.item(one, page.roster, mine=False) for one in seen[:DECIDED]),
        open_reviews=len(page.reviews),
    )


async def _detail(
    parts: Services, page: Frame, request: Request, *, error: ConsentryError | None = None, reason: str = ""
) -> Response:
    gate = parts.gate
    preview, obstacle, similar, decision = await asyncio.gather(
        gate.preview(request.id),
        gate.why_not(page.me, request),
        gate.similar(request),
        gate.decision(request.action_id),
    )
    visible = [one for one in similar if await parts.visibility.request(page.session, one)]
    is_policy = request.action.operation == "policy.change" and request.state is RequestState.PENDING
    view = detail.view(
        request,
        preview,
        page.roster,
        me=page.me,
        obstacle=obstacle,
        similar=visible,
        decision=decision,
        policy_files=await gate.store.read(files_in_force) if is_policy else None,
    )
    return html(
        "inbox.html",
        passkey=await step_up(parts, page.me, request) if view.may_vote else None,
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        inbox=await _list(parts, page),
        request=view,
        selected=request.id,
        error=None if error is None else str(error),
        reason=reason,
        least_ms=LEAST_MS,
    )
