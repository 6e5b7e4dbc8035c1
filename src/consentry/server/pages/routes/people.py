"""People, groups and agents: for administrators. Links and tokens are shown once, on the page that made them."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from consentry.actions import Kind
from consentry.errors import ConsentryError
from consentry.identity.model import Invitation, NewAgentToken, Session
from consentry.server.auth import Administrator, services
from consentry.server.pages.forms import InvalidForm, read_form
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.pages.views import people as views
from consentry.server.pages.views.people import Secret
from consentry.server.services import Services

router = page_router()


@router.get("/people")
async def people(request: Request, who: Administrator) -> Response:
    """Everybody and everything that can act."""
    return await _page(services(request), who)


@router.post("/people/invite")
async def invite(request: Request, who: Administrator) -> Response:
    """A one-time link, for somebody new or for somebody who needs to sign in again."""
    parts = services(request)
    form = await read_form(request)
    chosen = tuple(name for name in (form.optional("groups") or "").replace(",", " ").split() if name)
    try:
        made = await parts.directory.invite(
            who.subject, form.text("email"), name=form.optional("name"), groups=chosen, issued_by=who.issued_by
        )
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    return await _page(parts, who, secret=_link(parts, made))


@router.post("/people/{person_id}/{change}")
async def change_person(request: Request, person_id: str, change: str, who: Administrator) -> Response:
    """Disable or enable somebody, or make a new sign-in link for them."""
    parts = services(request)
    form = await read_form(request)
    try:
        if change == "disable":
            await parts.directory.disable(who.subject, person_id, form.optional("reason"))
        elif change == "enable":
            await parts.directory.enable(who.subject, person_id, form.optional("reason"))
        elif change == "link":
            found = await parts.directory.person(person_id)
            made = await parts.directory.invite(who.subject, found.email, issued_by=who.issued_by)
            return await _page(parts, who, secret=_link(parts, made))
        else:
            raise InvalidForm("there is no such change: use the buttons of the page")
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    return see_other("/people")


@router.post("/groups/{change}")
async def change_group(request: Request, change: str, who: Administrator) -> Response:
    """Add somebody to a group, which makes it where there is none, or take them out."""
    parts = services(request)
    form = await read_form(request)
    try:
        group, person = form.text("group").strip(), form.text("person")
        if change == "add":
            await parts.directory.add_to_group(who.subject, group, person)
        elif change == "remove":
            await parts.directory.remove_from_group(who.subject, group, person)
        else:
            raise InvalidForm("there is no such change: use the buttons of the page")
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    return see_other("/people")


@router.post("/agents")
async def create_agent(request: Request, who: Administrator) -> Response:
    """An agent or service, with its token."""
    parts = services(request)
    form = await read_form(request)
    try:
        kind = Kind.SERVICE if form.fields.get("kind") == "service" else Kind.AGENT
        made = await parts.directory.create_agent(who.subject, form.text("name").strip(), form.text("owner"), kind)
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    return await _page(parts, who, secret=_token(made))


@router.post("/agents/{agent_id}/{change}")
async def change_agent(request: Request, agent_id: str, change: str, who: Administrator) -> Response:
    """Replace an agent's token, or end it."""
    parts = services(request)
    form = await read_form(request)
    try:
        if change == "rotate":
            return await _page(parts, who, secret=_token(await parts.directory.rotate_agent(who.subject, agent_id)))
        if change != "revoke":
            raise InvalidForm("there is no such change: use the buttons of the page")
        await parts.directory.revoke_agent(who.subject, agent_id, form.optional("reason"))
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    return see_other("/people")


def _link(parts: Services, made: Invitation) -> Secret:
    text = "Hand this link over yourself. It is good for one sign-in and is not shown again."
    return Secret(f"Sign-in link for {made.email}", text, f"{parts.origin}/sign-in#token={made.token}")


def _token(made: NewAgentToken) -> Secret:
    text = "Put it where the agent reads CONSENTRY_TOKEN. It is not shown again."
    return Secret(f"Token of {made.agent.name}", text, made.token)


async def _page(
    parts: Services, who: Session, *, error: ConsentryError | None = None, secret: Secret | None = None
) -> Response:
    page = await frame(parts, who, "people")
    directory = parts.directory
    records, identities, agents = await asyncio.gather(directory.people(), directory.identities(), directory.agents())
    return html(
        "people.html",
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        people=views.people(records, identities, page.roster),
        groups=views.groups(page.roster),
        agents=views.agents(agents, page.roster),
        error=None if error is None else str(error),
        secret=secret,
        me=page.roster.canonical(page.me),
    )
