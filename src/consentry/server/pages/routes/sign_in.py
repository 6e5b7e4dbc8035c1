"""Signing in and out. Looking at the page consumes nothing; only the pressed button posts the link's token (D5)."""

from __future__ import annotations

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from consentry.errors import ConsentryError
from consentry.identity.errors import NotSignedIn
from consentry.identity.oidc_sign_in import label
from consentry.server.auth import services, session_or_none
from consentry.server.guard import cookie
from consentry.server.pages.forms import read_form
from consentry.server.pages.response import html, local_path, see_other
from consentry.server.pages.route import page_router
from consentry.server.services import Services
from consentry.server.sign_in_cookies import hint_cookie, hint_name

router = page_router()


@router.get("/sign-in")
async def sign_insign_in_form(request: Request) -> Response:
    """The page that a one-time link opens."""
    return sign_in_form(request, local_path(request.query_params.get("next")))


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
        return sign_in_form(request, back, error=str(error), status=error.status)
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
    away = None
    if who is not None and who.provider is not None:
        away = await _end_at_provider(parts, who.provider, request.cookies.get(hint_name(parts)))
    answer = see_other("/sign-in") if away is None else html("leaving.html", url=away, text="Signed out.", now_ms=0)
    answer.headers.append("Set-Cookie", cookie(parts, "", max_age_s=0))
    answer.headers.append("Set-Cookie", hint_cookie(parts, ""))
    return answer


async def _end_at_provider(parts: Services, provider: str, id_token: str | None) -> str | None:
    """Where to sign out at the provider, too; signing out here does not wait for a provider that is down."""
    try:
        return await parts.sign_in.logout_url(provider, id_token)
    except ConsentryError:
        return None


def sign_in_form(request: Request, back: str, *, error: str | None = None, status: int = 200) -> Response:
    """The page with every way to sign in. `back` is where to go afterwards."""
    parts, who = services(request), session_or_none(request)
    providers = [(one.name, label(one)) for one in parts.sign_in.providers]
    values = {"next": back, "quoted": quote(back, safe=""), "error": error, "signed_in": who is not None, "now_ms": 0}
    return html("sign_in.html", status=status, providers=providers, **values)
