"""Requests: list, look, vote, withdraw."""

from __future__ import annotations

from consentry.actions import Kind
from consentry.consent import errors as gate
from consentry.consent.model import Ballot, Request, RequestQuery
from consentry.server import batch
from consentry.server.access import ANY_SESSION, PERSONS
from consentry.server.batch import Answer, Word
from consentry.server.endpoint import Call, Endpoint
from consentry.server.problems import problem_of
from consentry.server.routes.passkeys import step_up
from consentry.server.views.requests import (
    Eligibility,
    PreviewView,
    ReasonBody,
    RequestDetail,
    RequestsPage,
    RequestsQuery,
    RequestView,
    VoteBody,
    VoteResult,
    VoteResults,
    VotesBody,
)

MAX_SCANNED_PAGES = 20


async def every(call: Call, query: RequestsQuery) -> RequestsPage:
    services, session, before = call.services, call.session, query.before
    person = session.subject if session.kind is Kind.PERSON else None
    found: list[RequestView] = []
    for _ in range(MAX_SCANNED_PAGES):
        page = await services.gate.requests(
            RequestQuery(
                state=query.state,
                person=person,
                resource=query.resource,
                operation=query.operation,
                before_id=before,
                limit=query.limit,
            )
        )
        for request in page:
            if not await services.visibility.request(session, request):
                continue
            eligible = await eligibility(call, request)
            if eligible.allowed or not query.mine:
                found.append(await _view(call, request, eligible))
        before = min((request.id for request in page), default=None)
        if len(page) < query.limit or len(found) >= query.limit:
            break
    more = before is not None and len(page) == query.limit
    return RequestsPage(items=found, next=before if more else None)


async def _view(call: Call, request: Request, eligible: Eligibility) -> RequestView:
    roster = await call.services.gate.roster()
    return RequestView.model_validate(RequestView.fields(request, roster, eligible, call.services.origin))


async def eligibility(call: Call, request: Request) -> Eligibility:
    """Whether the caller may vote now."""
    session = call.session
    if session.kind is not Kind.PERSON:
        return Eligibility(allowed=False, code="not_a_person", text="agents and services cannot decide")
    why = await call.services.gate.why_not(session.subject, request)
    return Eligibility(allowed=True) if why is None else Eligibility(allowed=False, code=why.code, text=why.text)


async def show(call: Call) -> RequestDetail:
    services = call.services
    request = await services.visibility.require_request(call.session, call.path["request_id"])
    return await _detail(call, request)


async def _detail(call: Call, request: Request) -> RequestDetail:
    services = call.services
    roster = await services.gate.roster()
    preview = await services.gate.preview(request.id)
    earlier = [
        one for one in await services.gate.similar(request) if await services.visibility.request(call.session, one)
    ]
    fields = RequestView.fields(request, roster, await eligibility(call, request), services.origin)
    return RequestDetail.model_validate(
        {
            **fields,
            "preview": PreviewView.of(preview),
            "similar": [one.id for one in earlier],
            "passkey": await step_up(services, call.session.subject, request),
        }
    )


async def vote(call: Call, body: VoteBody) -> RequestDetail:
    services, session = call.services, call.session
    voter = session.voter("api")
    request = await services.visibility.require_request(session, call.path["request_id"])
    ballot = Ballot(body.verdict, body.shown_digest, body.reason, body.signed())
    voted = await services.gate.vote(request.id, voter, ballot)
    services.metrics.count("consentry_votes_total", verdict=body.verdict.value, channel="api")
    return await _detail(call, voted)


async def vote_each(call: Call, body: VotesBody) -> VoteResults:
    words = [Word(one.request, one.verdict, one.shown_digest, one.reason, one.signed) for one in body.votes]
    answers = await batch.vote_each(call.services, call.session, words, "api")
    return VoteResults(results=[_result(one) for one in answers])


def _result(answer: Answer) -> VoteResult:
    error, request = answer.error, answer.request
    if error is not None:
        return VoteResult(request=answer.word.request, status=error.status, problem=problem_of(error))
    assert request is not None
    return VoteResult(request=request.id, status=200, state=request.state)


async def withdraw(call: Call, body: ReasonBody) -> RequestDetail:
    services, session = call.services, call.session
    request = await services.visibility.require_request(session, call.path["request_id"])
    return await _detail(call, await services.gate.withdraw(request.id, session.actor, body.reason))


ENDPOINTS = (
    Endpoint(
        "GET",
        "/v1/requests",
        ANY_SESSION,
        every,
        "Requests that the caller may see, those to decide first",
        "requests",
        query=RequestsQuery,
        answer=RequestsPage,
    ),
    Endpoint(
        "GET",
        "/v1/requests/{request_id}",
        ANY_SESSION,
        show,
        "A request in full, with its rendered preview and the digest that a vote must name",
        "requests",
        answer=RequestDetail,
        errors=(gate.UnknownRequest,),
    ),
    Endpoint(
        "POST",
        "/v1/requests/{request_id}/votes",
        PERSONS,
        vote,
        "Decide: one person's word on exactly what they were shown",
        "requests",
        body=VoteBody,
        answer=RequestDetail,
        errors=(
            gate.UnknownRequest,
            gate.NotEligible,
            gate.AssuranceTooLow,
            gate.PasskeyRejected,
            gate.StaleView,
            gate.AlreadyDecided,
            gate.AlreadyVoted,
            gate.Expired,
        ),
    ),
    Endpoint(
        "POST",
        "/v1/votes",
        PERSONS,
        vote_each,
        "Decide several requests, each by itself: what came of each is in the answer",
        "requests",
        body=VotesBody,
        answer=VoteResults,
        status=207,
    ),
    Endpoint(
        "POST",
        "/v1/requests/{request_id}/withdraw",
        ANY_SESSION,
        withdraw,
        "Take a request back",
        "requests",
        body=ReasonBody,
        body_optional=True,
        answer=RequestDetail,
        errors=(gate.UnknownRequest, gate.NotAllowed, gate.AlreadyDecided, gate.Expired),
    ),
)
