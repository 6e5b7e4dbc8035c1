"""A person's passkeys. The page's script registers one by the API: browsers offer no form for it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from consentry.errors import ConsentryError
from consentry.identity.model import Session
from consentry.identity.passkey import PasskeyUnavailable
from consentry.server.auth import Person, services
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.services import Services

router = page_router()


@router.get("/passkeys")
async def passkeys(request: Request, who: Person) -> Response:
    """Those of the person who looks."""
    return await _page(services(request), who)


@router.post("/passkeys/{passkey_id}/remove")
async def remove(request: Request, passkey_id: str, who: Person) -> Response:
    """Let one count no more."""
    parts = services(request)
    try:
        await parts.passkeys.remove(who, passkey_id)
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    return see_other("/passkeys")


async def _page(parts: Services, who: Session, *, error: ConsentryError | None = None) -> Response:
    page = await frame(parts, who, "passkeys")
    origin, unavailable = "", None
    try:
        origin = parts.passkeys.site.origin
    except PasskeyUnavailable as reason:
        unavailable = str(reason)
    return html(
        "passkeys.html",
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        rows=await parts.passkeys.of(who.subject),
        fresh=await parts.passkeys.fresh(who),
        origin=origin,
        unavailable=unavailable,
        error=None if error is None else str(error),
    )
