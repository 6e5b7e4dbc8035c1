"""Signing in at a provider: the way there, and the way back. See `identity.oidc` for what is checked.

The way there is a link and not a form, since pages may post to this server only. The way back ends on a page of ours
that leads on: a browser that comes from another site does not send a strict cookie, not even after a redirect.
"""

from __future__ import annotations

import logging
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from consentry.errors import ConsentryError
from consentry.identity.oidc import SignInRefused
from consentry.identity.oidc_flows import FLOW_MS
from consentry.identity.oidc_sign_in import Arrival, Finished
from consentry.server.auth import services
from consentry.server.guard import cookie
from consentry.server.logs import log
from consentry.server.pages.response import html, local_path
from consentry.server.pages.route import page_router
from consentry.server.pages.routes.sign_in import sign_in_form
from consentry.server.services import Services
from consentry.server.sign_in_cookies import flow_cookie, flow_cookie_name, hint_cookie

router = page_router()
MAX_PARAMETER = 2048


@router.get("/sign-in/oidc/{provider}")
async def begin(request: Request, provider: str) -> Response:
    """Send the browser to a provider; it keeps a secret, so that only it can come back with the answer."""
    parts = services(request)
    back = local_path(request.query_params.get("next"))
    try:
        departure = await parts.sign_in.begin(provider, back)
    except ConsentryError as error:
        return sign_in_form(request, back, error=str(error), status=error.status)
    answer = RedirectResponse(departure.url, 303, {"Cache-Control": "no-store"})
    answer.headers.append("Set-Cookie", flow_cookie(parts, departure.browser, FLOW_MS // 1000))
    return answer


@router.get("/sign-in/oidc/{provider}/callback")
async def callback(request: Request, provider: str) -> Response:
    """Where a provider sends the browser back to: the end of signing in, or of linking another identity."""
    parts = services(request)
    try:
        finished = await parts.sign_in.finish(provider, _arrival(parts, request))
    except ConsentryError as error:
        log(logging.WARNING, "sign_in_refused", provider=provider[:32], code=error.code, reason=str(error))
        if isinstance(error, SignInRefused):
            parts.attempts.failed(request.client.host if request.client else "local")
        return sign_in_form(request, "/", error=str(error), status=error.status)
    return _arrived(parts, finished)


def _arrived(parts: Services, finished: Finished) -> Response:
    path = local_path(finished.next_path)
    answer = html("leaving.html", url=quote(path, safe="/?&=%#:@!$'()*+,;~"), text="You are signed in.", now_ms=0)
    answer.headers.append("Set-Cookie", flow_cookie(parts, "", 0))
    signed_in = finished.signed_in
    if signed_in is not None:
        now_ms = parts.gate.store.clock_ms()
        left = max(0, (signed_in.session.expires_at_ms or now_ms) - now_ms) // 1000
        answer.headers.append("Set-Cookie", cookie(parts, signed_in.token, max_age_s=left))
        name = signed_in.session.provider
        if any(one.name == name and one.logout for one in parts.sign_in.providers):
            answer.headers.append("Set-Cookie", hint_cookie(parts, finished.id_token))
    return answer


def _arrival(parts: Services, request: Request) -> Arrival:
    """What came back. Each parameter stands once: who sends two hopes that two readers choose differently."""
    query = request.query_params
    found = {name: query.getlist(name) for name in ("state", "code", "iss", "error")}
    if any(len(values) > 1 or len(value) > MAX_PARAMETER for values in found.values() for value in values):
        raise SignInRefused("the provider's answer names something twice: begin again")
    state, browser = "".join(found["state"]), request.cookies.get(flow_cookie_name(parts), "")
    if not state or not browser:
        raise SignInRefused("this sign-in was not begun in this browser, is used, or took too long: begin again")
    code, issuer, error = (found[name][0] if found[name] else None for name in ("code", "iss", "error"))
    return Arrival(state, browser, code, issuer, error)
