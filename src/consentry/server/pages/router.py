"""All pages, and the files that they load."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from consentry.server.pages import assets
from consentry.server.pages.route import page_router
from consentry.server.pages.routes import (
    action,
    delegations,
    grants,
    history,
    identities,
    inbox,
    ledger,
    linking,
    load,
    passkeys,
    people,
    policies,
    reviews,
    sign_in,
    sign_in_oidc,
    together,
)
from consentry.server.problems import UnknownPath

_static = page_router()


@_static.get("/static/{path:path}")
async def static(path: str) -> Response:
    """A file of the package, for anybody."""
    return assets.respond(path)


_rest = page_router()


@_rest.get("/{path:path}")
async def nowhere(path: str) -> Response:
    """Whatever no page is at."""
    raise UnknownPath("no page has this address: it may have been mistyped, or the link is old")


def pages() -> APIRouter:
    """The router of the web inbox: `/`, and everything that a person opens from there."""
    router = APIRouter()
    ways_in = (sign_in, sign_in_oidc, passkeys, identities, linking)
    rooms = (*ways_in, inbox, together, history, load, action, grants, delegations, reviews, policies, people, ledger)
    for each in (_static, *(room.router for room in rooms), _rest):
        router.include_router(each)
    return router
