"""History: every action that this person may see, with filters and pages."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from consentry.consent.model import ActionState
from consentry.policy.model import Verdict
from consentry.server.auth import Person, services
from consentry.server.pages.frame import Frame, frame
from consentry.server.pages.response import html
from consentry.server.pages.route import page_router
from consentry.server.pages.views.history import Filters, Row, row
from consentry.server.services import Services

PAGE = 50
LOOKED_AT = 500
"""How many actions one page may look through for a person who sees few of them."""

router = page_router()


@router.get("/history")
async def history(request: Request, who: Person) -> Response:
    """One page, newest first."""
    parts = services(request)
    page = await frame(parts, who, "history")
    named = {name: value for name, value in request.query_params.items() if name in Filters.__slots__}
    filters = Filters(**named)
    rows, after = await _rows(parts, page, filters)
    older = None
    if after is not None:
        kept = {name: value for name, value in named.items() if value and name != "before"}
        older = "/history?" + urlencode({**kept, "before": after})
    actors = sorted((one for one in page.roster.agents.values()), key=lambda one: one.name)
    return html(
        "history.html",
        shell=page.shell,
        now_ms=page.now_ms,
        rows=rows,
        filters=filters,
        older=older,
        states=tuple(one.value for one in ActionState),
        verdicts=tuple(one.value for one in Verdict),
        actors=actors,
    )


async def _rows(parts: Services, page: Frame, filters: Filters) -> tuple[list[Row], str | None]:
    """Up to a page of what this person may see, and where the next page goes on."""
    rows: list[Row] = []
    before = filters.before or None
    for _ in range(LOOKED_AT // PAGE):
        found = await parts.gate.history(filters.query(PAGE, before))
        for action, decision in found:
            before = decision.action_id
            if page.sees_all or await parts.visibility.action(page.session, decision.action_id):
                rows.append(row(action, decision, page.roster))
            if len(rows) == PAGE:
                return rows, before
        if len(found) < PAGE:
            return rows, None
    return rows, before
