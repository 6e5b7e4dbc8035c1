"""Grants: what is open, revoking at once, and standing grants, which are simulated before they are made."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from consentry.consent.model import Grant
from consentry.errors import ConsentryError
from consentry.server.auth import Person, services
from consentry.server.load import shape_of
from consentry.server.pages.forms import Form, read_form
from consentry.server.pages.frame import Frame, frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.pages.routes.load import period
from consentry.server.pages.views.grants import Draft, GrantRow, grant_row
from consentry.server.pages.views.history import Row, row
from consentry.server.services import Services

SHOWN = 20
HOUR_MS = 3_600_000

router = page_router()


@router.get("/grants")
async def grants(request: Request, who: Person) -> Response:
    """Every grant that concerns this person; auditors and administrators see all.

    With `like`, an action, the form of a new standing grant is filled in for its shape. Nothing is made by that.
    """
    parts = services(request)
    page = await frame(parts, who, "grants")
    like = request.query_params.get("like")
    if like is None:
        return await _page(parts, page)
    await parts.visibility.require_action(who, like)
    saving = await shape_of(parts, who, like, period(request.query_params.get("days", "30")))
    if saving is None or saving.shape.pattern is None:
        return await _page(parts, page)
    return await _page(parts, page, draft=Draft.around(saving.shape.pattern, saving.uses))


@router.post("/grants/simulate")
async def simulate(request: Request, who: Person) -> Response:
    """Which past actions the grant would have let through, before anybody makes it."""
    parts = services(request)
    draft = Draft.of(await read_form(request))
    page = await frame(parts, who, "grants")
    try:
        ids = await parts.gate.simulate_standing(draft.pattern())
    except ConsentryError as error:
        return await _page(parts, page, draft=draft, error=error)
    past = [await _past(parts, page, one) for one in ids[:SHOWN]]
    return await _page(parts, page, draft=draft, simulated=len(ids), past=[one for one in past if one is not None])


@router.post("/grants")
async def create(request: Request, who: Person) -> Response:
    """Make the standing grant that was simulated."""
    parts = services(request)
    form = await read_form(request)
    draft = Draft.of(form)
    try:
        await parts.gate.create_standing(
            draft.pattern(),
            who.voter("web"),
            uses=form.whole("uses", least=1, most=10**6),
            expires_ms=form.whole("hours", least=1, most=10**5) * HOUR_MS,
            reason=form.text("reason"),
        )
    except ConsentryError as error:
        return await _page(parts, await frame(parts, who, "grants"), draft=draft, error=error)
    return see_other("/grants")


@router.post("/grants/{grant_id}/revoke")
async def revoke(request: Request, grant_id: str, who: Person) -> Response:
    """At once."""
    parts = services(request)
    form: Form = await read_form(request)
    try:
        await parts.gate.revoke_grant(grant_id, who.voter("web"), form.optional("reason"))
    except ConsentryError as error:
        return await _page(parts, await frame(parts, who, "grants"), error=error)
    return see_other("/grants")


async def _page(
    parts: Services,
    page: Frame,
    *,
    draft: Draft | None = None,
    error: ConsentryError | None = None,
    simulated: int | None = None,
    past: list[Row] | None = None,
) -> Response:
    found = await asyncio.gather(*(_row(parts, page, one) for one in await parts.gate.grants()))
    rows = [one for one in found if one is not None]
    return html(
        "grants.html",
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        standing=[one for one in rows if one.kind == "standing"],
        single=[one for one in rows if one.kind != "standing"],
        agents=sorted((one for one in page.roster.agents.values() if one.active), key=lambda one: one.name),
        draft=draft or Draft(),
        writing=draft is not None,
        error=None if error is None else str(error),
        simulated=simulated,
        past=past or [],
    )


async def _row(parts: Services, page: Frame, grant: Grant) -> GrantRow | None:
    """The grant as a row, or `None` where it is not this person's to see."""
    if not await parts.visibility.grant(page.session, grant):
        return None
    action = None if grant.action_id is None else await parts.gate.action(grant.action_id)
    return grant_row(grant, action, page.roster)


async def _past(parts: Services, page: Frame, action_id: str) -> Row | None:
    if not await parts.visibility.action(page.session, action_id):
        return None
    return row(await parts.gate.action(action_id), await parts.gate.decision(action_id), page.roster)
