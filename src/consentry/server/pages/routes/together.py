"""Several requests of one shape on one page: each shown in full, each decided by itself (threats C7, D8).

There is no button for all of them. Whoever decides chooses for each, and what is not chosen stays as it is.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from consentry.consent.model import BallotVerdict, Request
from consentry.errors import ConsentryError
from consentry.server.auth import Person, services
from consentry.server.batch import Answer, Word, vote_each
from consentry.server.pages.forms import Form, InvalidForm, read_form
from consentry.server.pages.frame import Frame, frame
from consentry.server.pages.response import html
from consentry.server.pages.route import page_router
from consentry.server.pages.routes.inbox import LEAST_MS, check_shown
from consentry.server.pages.views import request as detail
from consentry.server.pages.views import together as laying_out
from consentry.server.pages.views.requests import shape
from consentry.server.routes.passkeys import step_up
from consentry.server.services import Services

MOST = 20
"""So many on one page: more than that is not looked at."""

router = page_router()


@router.get("/together")
async def look(request: HttpRequest, who: Person) -> Response:
    """The ticked requests, each in full."""
    parts = services(request)
    page = await frame(parts, who, "inbox")
    found = await _requests(parts, page, request.query_params.getlist("id"))
    return await _page(parts, page, found)


@router.post("/together")
async def decide(request: HttpRequest, who: Person) -> Response:
    """A person's word on each that they chose one for, with one reason; what came of each is shown in its place."""
    parts = services(request)
    form = await read_form(request)
    page = await frame(parts, who, "inbox")
    ids = [name.removeprefix("digest-") for name in form.fields if name.startswith("digest-")]
    found = await _requests(parts, page, ids)
    reason = form.optional("reason")
    try:
        words = _words(form, ids, reason)
        check_shown(form.fields.get("shown_at", ""), page.now_ms, LEAST_MS * len(ids))
    except ConsentryError as error:
        return await _page(parts, page, found, error=error, reason=reason or "", chosen=form)
    answers = await vote_each(parts, who, words, "web")
    return await _page(parts, page, await _requests(parts, page, ids), answers=answers)


def _words(form: Form, ids: list[str], reason: str | None) -> list[Word]:
    """The words that were chosen. Raises `InvalidForm`."""
    words = []
    for one in ids:
        chosen = form.fields.get(f"verdict-{one}", "later")
        if chosen not in ("approve", "deny", "later"):
            raise InvalidForm("each request takes `approve`, `deny` or `later`: choose one of the three")
        if chosen != "later":
            words.append(Word(one, BallotVerdict(chosen), form.text(f"digest-{one}"), reason))
    if not words:
        raise InvalidForm("nothing was chosen: approve or deny at least one of these")
    return words


async def _requests(parts: Services, page: Frame, ids: list[str]) -> list[Request]:
    """The requests, in the order in which they were ticked. Raises `InvalidForm`, `UnknownRequest`."""
    ids = list(dict.fromkeys(ids))
    if not ids:
        raise InvalidForm("nothing was ticked: tick the requests in the inbox that you want to look at together")
    if len(ids) > MOST:
        raise InvalidForm(f"more than {MOST} requests were ticked: nobody looks at so many at once")
    found = [await parts.visibility.require_request(page.session, one) for one in ids]
    if len({shape(one) for one in found}) > 1:
        raise InvalidForm("these requests are not alike: tick those of one operation, resource and actor")
    return found


async def _page(
    parts: Services,
    page: Frame,
    found: list[Request],
    *,
    answers: list[Answer] | None = None,
    error: ConsentryError | None = None,
    reason: str = "",
    chosen: Form | None = None,
) -> Response:
    by_request = {one.word.request: one for one in answers or []}
    items = [await _item(parts, page, one, by_request.get(one.id), chosen) for one in found]
    return html(
        "together.html",
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        items=items,
        first=items[0].request.item,
        open=sum(1 for one in items if one.request.may_vote),
        taken=None if answers is None else sum(1 for one in answers if one.error is None),
        tried=0 if answers is None else len(answers),
        error=None if error is None else str(error),
        reason=reason,
        least_ms=LEAST_MS * len(items),
    )


async def _item(
    parts: Services, page: Frame, request: Request, answer: Answer | None, chosen: Form | None
) -> laying_out.Item:
    gate = parts.gate
    preview, obstacle, decision = await asyncio.gather(
        gate.preview(request.id), gate.why_not(page.me, request), gate.decision(request.action_id)
    )
    view = detail.view(request, preview, page.roster, me=page.me, obstacle=obstacle, similar=(), decision=decision)
    passkey = await step_up(parts, page.me, request) if view.may_vote else None
    picked = "later" if chosen is None else chosen.fields.get(f"verdict-{request.id}", "later")
    return laying_out.Item(view, passkey is not None, laying_out.outcome(answer), picked)
