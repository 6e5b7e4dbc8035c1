"""Sessions: sign in by a one-time link, see who one is, sign out."""

from __future__ import annotations

from starlette.responses import Response

from consentry.identity.errors import NotSignedIn, UnknownSession
from consentry.server.access import ANY_SESSION, ANYBODY
from consentry.server.endpoint import Call, Endpoint
from consentry.server.guard import cookie
from consentry.server.problems import TooManyAttempts
from consentry.server.views.base import time_or_none
from consentry.server.views.identity import (
    SessionsPage,
    SessionsQuery,
    SessionView,
    SignedInView,
    SignInBody,
    WhoView,
)


async def sign_in(call: Call, body: SignInBody) -> Response:
    services = call.services
    try:
        signed = await services.directory.sign_in(body.token)
    except NotSignedIn:
        services.attempts.failed(call.address)
        raise
    session = signed.session
    person = (await services.gate.roster()).persons.get(session.subject)
    view = SignedInView(
        session=None if body.cookie else signed.token,
        id=session.id,
        person=session.subject,
        name=None if person is None else person.name,
        expires_at=time_or_none(session.expires_at_ms),
    )
    headers = {"cache-control": "no-store"}
    if body.cookie:
        headers["set-cookie"] = cookie(services, signed.token, max_age_s=services.settings.identity.session // 1000)
    return Response(view.model_dump_json(), 201, headers, "application/json")


async def who(call: Call) -> WhoView:
    return WhoView.of(call.session, await call.services.gate.roster())


async def every(call: Call, query: SessionsQuery) -> SessionsPage:
    subject = call.session.subject
    if query.subject is not None and await call.services.visibility.sees_all(call.session):
        subject = query.subject
    return SessionsPage(items=[SessionView.of(one) for one in await call.services.directory.sessions(subject)])


async def sign_out(call: Call) -> Response:
    session_id = call.path.get("session_id", call.session.id)
    await call.services.directory.sign_out(call.session, session_id)
    headers = {"cache-control": "no-store"}
    if session_id == call.session.id:
        headers["set-cookie"] = cookie(call.services, "", max_age_s=0)
    return Response(status_code=204, headers=headers)


ENDPOINTS = (
    Endpoint(
        "POST", "/v1/sessions", ANYBODY, sign_in, "Sign in with the token of a one-time link", "sessions",
        body=SignInBody, answer=SignedInView, status=201, errors=(NotSignedIn, TooManyAttempts),
    ),
    Endpoint(
        "GET", "/v1/sessions", ANY_SESSION, every, "The caller's sessions that hold", "sessions",
        query=SessionsQuery, answer=SessionsPage,
    ),
    Endpoint("GET", "/v1/sessions/current", ANY_SESSION, who, "Who the caller is", "sessions", answer=WhoView),
    Endpoint("DELETE", "/v1/sessions/current", ANY_SESSION, sign_out, "Sign out", "sessions", status=204),
    Endpoint(
        "DELETE", "/v1/sessions/{session_id}", ANY_SESSION, sign_out,
        "End a session of the caller or of an agent of theirs; administrators end any",
        "sessions", status=204, errors=(UnknownSession,),
    ),
)  # fmt: skip
