"""Grants: list, make a standing one, simulate it, revoke."""

from __future__ import annotations

from consentry.actions import NotExact
from consentry.consent import errors as gate
from consentry.consent.bounds import InvalidPattern
from consentry.consent.standing import StandingPattern
from consentry.server.access import ANY_SESSION, PERSONS
from consentry.server.endpoint import Call, Endpoint
from consentry.server.problems import FieldError, InvalidBody
from consentry.server.views.base import time_ms
from consentry.server.views.requests import (
    GrantsPage,
    GrantsQuery,
    GrantView,
    ReasonBody,
    SimulateBody,
    SimulationView,
    StandingBody,
)


async def every(call: Call, query: GrantsQuery) -> GrantsPage:
    grants = await call.services.gate.grants(open_only=query.open)
    seen = [one for one in grants if await call.services.visibility.grant(call.session, one)]
    return GrantsPage(items=[GrantView.of(one) for one in seen])


async def create(call: Call, body: StandingBody) -> GrantView:
    voter = call.session.voter("api")
    pattern = StandingPattern.from_json(body.pattern)
    grant = await call.services.gate.create_standing(
        pattern, voter, uses=body.uses, expires_ms=body.expires_ms, reason=body.reason
    )
    return GrantView.of(grant)


async def simulate(call: Call, body: SimulateBody) -> SimulationView:
    try:
        since = None if body.since is None else time_ms(body.since)
    except ValueError:
        raise InvalidBody([FieldError(pointer="#/since", detail="is not a time")]) from None
    pattern = StandingPattern.from_json(body.pattern)
    ids = await call.services.gate.simulate_standing(pattern, since_ms=since)
    seen = [one for one in ids if await call.services.visibility.action(call.session, one)]
    return SimulationView(action_ids=seen, count=len(seen))


async def revoke(call: Call, body: ReasonBody) -> GrantView:
    voter = call.session.voter("api")
    grant = await call.services.gate.grant(call.path["grant_id"])
    if not await call.services.visibility.grant(call.session, grant):
        raise gate.UnknownGrant("there is no such grant")
    return GrantView.of(await call.services.gate.revoke_grant(grant.id, voter, body.reason))


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/grants", ANY_SESSION, every, "Grants that the caller may see, newest first", "grants",
        query=GrantsQuery, answer=GrantsPage,
    ),
    Endpoint(
        "POST", "/v1/grants", PERSONS, create, "Consent beforehand to a bounded family of actions", "grants",
        body=StandingBody, answer=GrantView, status=201, errors=(InvalidPattern, NotExact, gate.NotEligible),
    ),
    Endpoint(
        "POST", "/v1/grants/simulate", PERSONS, simulate, "Which past actions a standing grant would have let through",
        "grants", body=SimulateBody, answer=SimulationView, errors=(InvalidPattern, NotExact),
    ),
    Endpoint(
        "DELETE", "/v1/grants/{grant_id}", PERSONS, revoke, "Take a grant back, at once", "grants",
        body=ReasonBody, body_optional=True, answer=GrantView, errors=(gate.UnknownGrant, gate.NotAllowed),
    ),
)  # fmt: skip
