"""Post-reviews: whenever somebody broke the glass, somebody else looks at it afterwards."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from consentry.consent.lasting import UnknownReview
from consentry.consent.model import PostReview
from consentry.errors import ConsentryError
from consentry.identity.model import Session
from consentry.server.auth import Person, services
from consentry.server.pages.forms import read_form
from consentry.server.pages.frame import Frame, frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.pages.views.names import Party, person
from consentry.server.services import Services

router = page_router()


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """One post-review and the action that it is about."""

    review: PostReview
    broke: Party
    closed: Party | None
    operation: str
    resource: str
    mine: bool


@router.get("/reviews")
async def reviews(request: Request, who: Person) -> Response:
    """Those that are open, then those that were closed."""
    return await _page(services(request), who)


@router.post("/reviews/{review_id}/close")
async def close(request: Request, review_id: str, who: Person) -> Response:
    """Say what was found."""
    parts = services(request)
    form = await read_form(request)
    if not any(one.id == review_id for one in await _visible(parts, who)):
        raise UnknownReview("there is no such post-review, or it is not yours to know of")
    try:
        await parts.gate.close_post_review(review_id, who.voter("web"), form.text("note"))
    except ConsentryError as error:
        return await _page(parts, who, error=error)
    return see_other("/reviews")


async def _visible(parts: Services, who: Session) -> list[PostReview]:
    """All post-reviews of actions that this person may see."""
    found = await parts.gate.post_reviews(open_only=False)
    return [one for one in found if await parts.visibility.action(who, one.action_id)]


async def _page(parts: Services, who: Session, *, error: ConsentryError | None = None) -> Response:
    page = await frame(parts, who, "reviews")
    found = [await _row(parts, page, one) for one in await _visible(parts, who)]
    return html(
        "reviews.html",
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        open=[one for one in found if one.review.closed_at_ms is None],
        closed=[one for one in found if one.review.closed_at_ms is not None],
        error=None if error is None else str(error),
    )


async def _row(parts: Services, page: Frame, review: PostReview) -> ReviewRow:
    action = await parts.gate.action(review.action_id)
    return ReviewRow(
        review,
        person(review.person, page.roster),
        None if review.closed_by is None else person(review.closed_by, page.roster),
        action.operation,
        action.resource,
        page.roster.canonical(review.person) == page.roster.canonical(page.me),
    )
