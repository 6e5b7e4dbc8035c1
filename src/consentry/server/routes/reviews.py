"""Post-reviews of break-glass, and delegation while away."""

from __future__ import annotations

from consentry.consent import errors as gate
from consentry.consent.lasting import UnknownReview
from consentry.errors import InvalidInput, NotFound
from consentry.server.access import PERSONS
from consentry.server.endpoint import Call, Endpoint
from consentry.server.problems import FieldError, InvalidBody
from consentry.server.views.base import time_ms
from consentry.server.views.requests import (
    DelegationBody,
    DelegationsPage,
    DelegationView,
    PostReviewBody,
    PostReviewsPage,
    PostReviewsQuery,
    PostReviewView,
)


async def post_reviews(call: Call, query: PostReviewsQuery) -> PostReviewsPage:
    found = await call.services.gate.post_reviews(open_only=query.open)
    seen = [one for one in found if await call.services.visibility.action(call.session, one.action_id)]
    return PostReviewsPage(items=[PostReviewView.of(one) for one in seen])


async def close(call: Call, body: PostReviewBody) -> PostReviewView:
    voter, review_id = call.session.voter("api"), call.path["review_id"]
    found = await call.services.gate.post_reviews(open_only=False)
    review = next((one for one in found if one.id == review_id), None)
    if review is None or not await call.services.visibility.action(call.session, review.action_id):
        raise UnknownReview("there is no such post-review")
    return PostReviewView.of(await call.services.gate.close_post_review(review_id, voter, body.note))


async def delegations(call: Call) -> DelegationsPage:
    found = await call.services.gate.delegations()
    everything = await call.services.visibility.sees_all(call.session)
    mine = call.session.subject
    return DelegationsPage(
        items=[DelegationView.of(one) for one in found if everything or mine in (one.from_person, one.to_person)]
    )


async def delegate(call: Call, body: DelegationBody) -> DelegationView:
    voter = call.session.voter("api")
    try:
        starts, ends = time_ms(body.starts_at), time_ms(body.ends_at)
    except ValueError:
        raise InvalidBody([FieldError(pointer="#/starts_at", detail="is not a time")]) from None
    return DelegationView.of(await call.services.gate.delegate(voter, body.to_person, starts, ends))


async def end_delegation(call: Call) -> DelegationView:
    voter = call.session.voter("api")
    return DelegationView.of(await call.services.gate.end_delegation(call.path["delegation_id"], voter))


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/post-reviews", PERSONS, post_reviews, "What break-glass left to be looked at", "reviews",
        query=PostReviewsQuery, answer=PostReviewsPage,
    ),
    Endpoint(
        "POST", "/v1/post-reviews/{review_id}/close", PERSONS, close,
        "Close the review of somebody else's break-glass", "reviews",
        body=PostReviewBody, answer=PostReviewView, errors=(UnknownReview, gate.NotEligible),
    ),
    Endpoint(
        "GET", "/v1/delegations", PERSONS, delegations, "Who votes for whom while they are away", "delegations",
        answer=DelegationsPage,
    ),
    Endpoint(
        "POST", "/v1/delegations", PERSONS, delegate, "Let somebody vote for you while you are away", "delegations",
        body=DelegationBody, answer=DelegationView, status=201, errors=(InvalidInput, gate.NotAllowed),
    ),
    Endpoint(
        "DELETE", "/v1/delegations/{delegation_id}", PERSONS, end_delegation, "End a delegation now", "delegations",
        answer=DelegationView, errors=(NotFound,),
    ),
)  # fmt: skip
