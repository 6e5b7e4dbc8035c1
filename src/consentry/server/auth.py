"""Dependencies for pages and routes: who asks, and the services that answer.

The guard (`server.guard`) has checked the session before a route runs; these only read what it found. A page that
names `Person` can never run for an agent, whatever the table of access says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends
from starlette.requests import Request

from consentry.actions import Kind
from consentry.consent.errors import NotAllowed
from consentry.identity.errors import NotSignedIn
from consentry.identity.model import ADMINISTRATORS, AUDITORS, Session

if TYPE_CHECKING:
    from consentry.server.services import Services

SESSION = "consentry.session"
"""Where the guard leaves the session in the ASGI scope."""


def services(request: Request) -> Services:
    """What the server is made of: gate, directory, settings, and so on."""
    return cast("Services", request.app.state.services)


def session_or_none(request: Request) -> Session | None:
    """Who asks, or `None` where nobody is signed in."""
    return cast("Session | None", request.scope.get(SESSION))


def session(request: Request) -> Session:
    """Who asks. Raises `NotSignedIn`."""
    found = session_or_none(request)
    if found is None:
        raise NotSignedIn("nobody is signed in: use a sign-in link or send a bearer token")
    return found


def person(request: Request) -> Session:
    """The person who asks. Raises `NotSignedIn`, or `NotAllowed` for an agent or service."""
    found = session(request)
    if found.kind is not Kind.PERSON:
        raise NotAllowed("this is for persons: sign in as one")
    return found


async def administrator(request: Request) -> Session:
    """The administrator who asks. Raises `NotSignedIn` or `NotAllowed`."""
    found = person(request)
    roster = await services(request).gate.roster()
    if ADMINISTRATORS not in roster.groups_of(found.subject):
        raise NotAllowed(f"this is for members of the group `{ADMINISTRATORS}`")
    return found


async def auditor(request: Request) -> Session:
    """The auditor or administrator who asks. Raises `NotSignedIn` or `NotAllowed`."""
    found = person(request)
    roster = await services(request).gate.roster()
    if roster.groups_of(found.subject).isdisjoint({AUDITORS, ADMINISTRATORS}):
        raise NotAllowed(f"this is for members of the groups `{AUDITORS}` and `{ADMINISTRATORS}`")
    return found


SignedIn = Annotated[Session, Depends(session)]
Person = Annotated[Session, Depends(person)]
Administrator = Annotated[Session, Depends(administrator)]
Auditor = Annotated[Session, Depends(auditor)]
