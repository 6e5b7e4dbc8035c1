"""Signing in and out. Looking at the page consumes nothing; only the pressed button posts the link's token (D5)."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from consentry.identity.errors import NotSignedIn
from consentry.server.auth import services, session_or_none
from consentry.server.guard import cookie
from consentry.server.pages.forms import read_form
from consentry.server.pages.response import html, local_path, see_other
from consentry.server.pages.route import page_router

router = page_router()


@router.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    """The page that a one-time link opens."""
    return _page(request, local_path(request.query_params.get("next")))


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Use up the link, set the cookie."""
    parts = services(request)
    form = await read_form(request)
    back = local_path(form.optional("next"))
    address = request.client.host if request.client else "local"
    try:
        signed_in = await parts.directory.sign_in(form.fields.get("token", "").strip())
    except NotSignedIn as error:
        parts.attempts.failed(address)
        return _page(request, back, error=str(error), status=error.status)
    answer = see_other(back)
    until = signed_in.session.expires_at_ms or parts.gate.store.clock_ms()
    left = max(0, until - parts.gate.store.clock_ms()) // 1000
    answer.headers.append("Set-Cookie", cookie(parts, signed_in.token, max_age_s=left))
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End this session, here and on the server."""
    parts = services(request)
    who = session_or_none(request)
    if who is not None:
        await parts.directory.sign_out(who, who.id)
    answer = see_other("/sign-in")
    answer.headers.append("Set-Cookie", cookie(parts, "", max_age_s=0))
    return answer


def _page(request: Request, back: str, *, error: str | None = None, status: int = 200) -> Response:
    who = session_or_none(request)
    values = {"next": back, "quoted": quote(back), "error": error, "signed_in": who is not None, "now_ms": 0}
    return html("sign_in.html", status=status, **values)
