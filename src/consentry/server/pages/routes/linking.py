"""The web side of linking a chat account: look at whom the one-time link is about, then say that it is you.

Looking changes nothing, whoever or whatever follows the link (threat D5); the button takes a signed-in person.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from consentry.channels import linking
from consentry.server.auth import Person, services
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.pages.views.notices import CHATS

router = page_router()


@router.get("/linked/{token}")
async def look(request: Request, token: str, who: Person) -> Response:
    """Whom the link is about, by the ids that never change."""
    parts = services(request)
    user = await parts.gate.store.read(lambda tx: linking.look(tx, token))
    page = await frame(parts, who, "identities")
    return html(
        "linking.html",
        shell=page.shell,
        now_ms=page.now_ms,
        token=token,
        where=CHATS.get(user.channel, user.channel),
        user=user,
    )


@router.post("/linked/{token}")
async def confirm(request: Request, token: str, who: Person) -> Response:
    """Use up the link."""
    await services(request).gate.store.write(lambda tx: linking.confirm(tx, token, who))
    return see_other("/identities")
