"""How a person signs in: their accounts at providers, another one to link, a link for their command line."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from consentry.channels import linking
from consentry.errors import ConsentryError
from consentry.identity.model import Session
from consentry.identity.oidc_flows import FLOW_MS
from consentry.identity.oidc_sign_in import label
from consentry.server.auth import Person, services
from consentry.server.pages.forms import read_form
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.pages.views.notices import CHATS
from consentry.server.services import Services
from consentry.server.sign_in_cookies import flow_cookie

router = page_router()


@router.get("/identities")
async def identities(request: Request, who: Person) -> Response:
    """Those of the person who looks."""
    return await _page(services(request), who)


@router.post("/identities/link")
async def link(request: Request, who: Person) -> Response:
    """Begin to link an account at a provider. The answer is a page that leads there: forms may not leave this site."""
    parts = services(request)
    form = await read_form(request)
    try:
        departure = await parts.sign_in.begin(form.text("provider"), "/identities", session=who.id)
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    answer = html("leaving.html", url=departure.url, text="To the provider …", now_ms=0)
    answer.headers.append("Set-Cookie", flow_cookie(parts, departure.browser, FLOW_MS // 1000))
    return answer


@router.post("/identities/command-line")
async def command_line(request: Request, who: Person) -> Response:
    """A one-time link of one's own, to sign in with elsewhere."""
    parts = services(request)
    me = await parts.directory.person(who.subject)
    made = await parts.directory.invite(who.subject, me.email, issued_by=who.issued_by)
    return await _page(parts, who, link=f"{parts.origin}/sign-in#token={made.token}")


@router.post("/identities/{identity_id}/unlink")
async def unlink(request: Request, identity_id: str, who: Person) -> Response:
    """Take a chat account of one's own from oneself. Accounts at providers are taken away by administrators."""
    await services(request).gate.store.write(lambda tx: linking.unlink(tx, who.subject, identity_id))
    return see_other("/identities")


@router.post("/notices/{notice_id}/dismiss")
async def dismiss(request: Request, notice_id: str, who: Person) -> Response:
    """Be told of something no more."""
    await services(request).directory.dismiss(who.subject, notice_id)
    return see_other("/identities")


async def _page(
    parts: Services, who: Session, *, error: ConsentryError | None = None, link: str | None = None
) -> Response:
    page = await frame(parts, who, "identities")
    labels = {one.issuer: label(one) for one in parts.sign_in.providers}
    found = await parts.directory.identities(page.roster.canonical(who.subject))
    maker = None if who.issued_by is None else page.roster.persons.get(page.roster.canonical(who.issued_by))
    return html(
        "identities.html",
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        rows=[(labels.get(one.issuer) or CHATS.get(one.kind, one.kind), one, one.kind in CHATS) for one in found],
        providers=[(one.name, label(one)) for one in parts.sign_in.providers],
        maker=None if who.issued_by is None else (who.issued_by if maker is None else maker.name),
        link=link,
        error=None if error is None else str(error),
    )
