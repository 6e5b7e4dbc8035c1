"""A person's passkeys. The page's script registers one by the API: browsers offer no form for it."""

from __future__ import annotations

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from consentry.consent.model import Signed
from consentry.errors import ConsentryError
from consentry.identity.model import Session
from consentry.identity.passkey import PasskeyUnavailable, Site
from consentry.ledger.passkey import AssertionInvalid
from consentry.server.auth import Person, services
from consentry.server.origin import host_name
from consentry.server.pages.forms import InvalidForm, read_form
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.views.passkeys import AssertionBody

router = page_router()


@router.get("/passkeys")
async def passkeys(request: Request, who: Person) -> Response:
    """Those of the person who looks."""
    return await _page(request, who)


@router.post("/passkeys/{passkey_id}/remove")
async def remove(request: Request, passkey_id: str, who: Person) -> Response:
    """Let one count no more."""
    parts = services(request)
    form = await read_form(request)
    try:
        await parts.passkeys.remove(who, passkey_id, signed=signature(form.optional("assertion")))
    except ConsentryError as error:
        return await _page(request, who, error=error)
    return see_other("/passkeys")


def signature(text: str | None) -> Signed | None:
    """What a passkey answered, as the page's script put it into a form. Raises `InvalidForm`."""
    try:
        return None if text is None else AssertionBody.model_validate_json(text).signed()
    except (ValidationError, AssertionInvalid):
        raise InvalidForm("`assertion` is not what a passkey answers: press the button again") from None


def number_for_name(host: str, site: Site) -> bool:
    """Whether the loopback is looked at by its number, where browsers do no passkeys, and not by its name.

    Of other hosts the `Host` header says too little, since a proxy may write its own: the page's script looks there.
    """
    return site.rp == "localhost" and host_name(host) != site.rp


async def _page(request: Request, who: Session, *, error: ConsentryError | None = None) -> Response:
    parts = services(request)
    page = await frame(parts, who, "passkeys")
    origin, rp, unavailable = "", "", None
    try:
        site = parts.passkeys.site
        origin, rp = site.origin, site.rp
        if number_for_name(request.headers.get("host", ""), site):
            unavailable = (
                f"Passkeys work at {origin}: open Consentry there, and sign in with another link "
                "(`consentry up --sign-in EMAIL` prints one)."
            )
    except PasskeyUnavailable as reason:
        unavailable = str(reason)
    rows = await parts.passkeys.of(who.subject)
    return html(
        "passkeys.html",
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        rows=rows,
        held=any(row.rp == rp for row in rows),
        fresh=await parts.passkeys.fresh(who),
        origin=origin,
        unavailable=unavailable,
        error=None if error is None else str(error),
    )
