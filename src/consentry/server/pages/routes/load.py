"""How reviews go: how long they take, who carries them, what asks most, and what could be saved."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from consentry.server.auth import Person, services
from consentry.server.load import PERIODS, report
from consentry.server.pages.forms import InvalidForm
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html
from consentry.server.pages.route import page_router
from consentry.server.pages.views import load as laying_out

router = page_router()


@router.get("/load")
async def load(request: Request, who: Person) -> Response:
    """One period, up to now."""
    parts = services(request)
    days = period(request.query_params.get("days", "30"))
    page = await frame(parts, who, "load")
    found = await report(parts, who, days)
    return html(
        "load.html",
        shell=page.shell,
        now_ms=page.now_ms,
        load=laying_out.view(found, page.roster),
        periods=PERIODS,
        sees_all=page.sees_all,
    )


def period(text: str) -> int:
    """Raises `InvalidForm`."""
    if text not in map(str, PERIODS):
        raise InvalidForm("`days` must be 7, 30 or 90: choose a period on the page")
    return int(text)
