"""Out of office: let somebody else vote in your place for a while."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from consentry.errors import ConsentryError
from consentry.identity.model import Session
from consentry.server.auth import Person, services
from consentry.server.pages.forms import read_form
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.pages.views import names
from consentry.server.pages.views.delegations import format_time, parse_time, rows
from consentry.server.services import Services

DAY_MS = 86_400_000

router = page_router()


@router.get("/delegations")
async def delegations(request: Request, who: Person) -> Response:
    """Those that concern this person."""
    return await _page(services(request), who)


@router.post("/delegations")
async def delegate(request: Request, who: Person) -> Response:
    """Name somebody for the time away."""
    parts = services(request)
    form = await read_form(request)
    try:
        starts, ends = parse_time(form.text("starts"), "starts"), parse_time(form.text("ends"), "ends")
        await parts.gate.delegate(who.voter("web"), form.text("to"), starts, ends)
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    return see_other("/delegations")


@router.post("/delegations/{delegation_id}/end")
async def end(request: Request, delegation_id: str, who: Person) -> Response:
    """Back again."""
    parts = services(request)
    try:
        await parts.gate.end_delegation(delegation_id, who.voter("web"))
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    return see_other("/delegations")


async def _page(parts: Services, who: Session, *, error: ConsentryError | None = None) -> Response:
    page = await frame(parts, who, "delegations")
    me = page.roster.canonical(page.me)
    others = sorted(page.roster.members("anyone") - {me})
    return html(
        "delegations.html",
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        rows=rows(await parts.gate.delegations(), page.roster, me, page.now_ms, admin=page.admin),
        others=[names.person(one, page.roster) for one in others],
        starts=format_time(page.now_ms),
        ends=format_time(page.now_ms + 7 * DAY_MS),
        error=None if error is None else str(error),
    )
