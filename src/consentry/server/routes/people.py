"""People: invite, list, disable, enable, merge, identities."""

from __future__ import annotations

from consentry.consent.errors import NotAllowed
from consentry.identity.errors import (
    IdentityTaken,
    LastAdministrator,
    UnknownIdentity,
    UnknownPerson,
)
from consentry.identity.sessions import require_person
from consentry.policy.emails import InvalidEmail
from consentry.policy.model import Person
from consentry.server.access import ADMINS_ONLY, PERSONS
from consentry.server.endpoint import Call, Endpoint
from consentry.server.views.identity import (
    IdentitiesPage,
    IdentityBody,
    IdentityView,
    InvitationView,
    InviteBody,
    MergeBody,
    PeoplePage,
    PersonView,
)
from consentry.server.views.requests import ReasonBody


async def every(call: Call) -> PeoplePage:
    services = call.services
    roster, whole = await services.gate.roster(), await services.visibility.sees_all(call.session)
    people = await services.directory.people()
    return PeoplePage(
        items=[PersonView.of(one, roster, whole=whole or one.id == call.session.subject) for one in people]
    )


async def show(call: Call) -> PersonView:
    return await _view(call, await call.services.directory.person(call.path["person_id"]))


async def _view(call: Call, person: Person) -> PersonView:
    services = call.services
    whole = person.id == call.session.subject or await services.visibility.sees_all(call.session)
    return PersonView.of(person, await services.gate.roster(), whole=whole)


async def invite(call: Call, body: InviteBody) -> InvitationView:
    by = require_person(call.session)
    invitation = await call.services.directory.invite(
        by, body.email, name=body.name, groups=tuple(body.groups), issued_by=call.session.issued_by
    )
    return InvitationView.of(invitation, call.services.origin)


async def disable(call: Call, body: ReasonBody) -> PersonView:
    directory = call.services.directory
    person = await directory.person(call.path["person_id"])
    return await _view(call, await directory.disable(require_person(call.session), person.id, body.reason))


async def enable(call: Call, body: ReasonBody) -> PersonView:
    directory = call.services.directory
    person = await directory.person(call.path["person_id"])
    return await _view(call, await directory.enable(require_person(call.session), person.id, body.reason))


async def merge(call: Call, body: MergeBody) -> PersonView:
    directory = call.services.directory
    person = await directory.person(call.path["person_id"])
    return await _view(call, await directory.merge(require_person(call.session), person.id, body.into, body.reason))


async def identities(call: Call) -> IdentitiesPage:
    person = await call.services.directory.person(call.path["person_id"])
    return IdentitiesPage(items=[IdentityView.of(one) for one in await call.services.directory.identities(person.id)])


async def link(call: Call, body: IdentityBody) -> IdentityView:
    directory = call.services.directory
    person = await directory.person(call.path["person_id"])
    by = require_person(call.session)
    return IdentityView.of(await directory.link(by, person.id, body.kind, body.issuer, body.subject))


async def unlink(call: Call, body: ReasonBody) -> IdentityView:
    by = require_person(call.session)
    return IdentityView.of(await call.services.directory.unlink(by, call.path["identity_id"], body.reason))


ENDPOINTS = (
    Endpoint("GET", "/v1/people", PERSONS, every, "Everybody", "people", answer=PeoplePage),
    Endpoint(
        "POST", "/v1/people", PERSONS, invite,
        "Invite a person, or make another sign-in link; administrators for anybody, everybody for themselves", "people",
        body=InviteBody, answer=InvitationView, status=201, errors=(InvalidEmail, NotAllowed),
    ),
    Endpoint(
        "GET", "/v1/people/{person_id}", PERSONS, show, "One person, by id or e-mail address", "people",
        answer=PersonView, errors=(UnknownPerson, InvalidEmail),
    ),
    Endpoint(
        "POST", "/v1/people/{person_id}/disable", ADMINS_ONLY, disable,
        "Let a person sign in, vote and act no longer", "people",
        body=ReasonBody, body_optional=True, answer=PersonView, errors=(UnknownPerson, InvalidEmail, LastAdministrator),
    ),
    Endpoint(
        "POST", "/v1/people/{person_id}/enable", ADMINS_ONLY, enable, "Let a disabled person sign in again", "people",
        body=ReasonBody, body_optional=True, answer=PersonView, errors=(UnknownPerson, InvalidEmail),
    ),
    Endpoint(
        "POST", "/v1/people/{person_id}/merge", ADMINS_ONLY, merge, "Say that two records are one human", "people",
        body=MergeBody, answer=PersonView, errors=(UnknownPerson, InvalidEmail, NotAllowed),
    ),
    Endpoint(
        "GET", "/v1/people/{person_id}/identities", ADMINS_ONLY, identities, "A person's linked identities", "people",
        answer=IdentitiesPage, errors=(UnknownPerson, InvalidEmail),
    ),
    Endpoint(
        "POST", "/v1/people/{person_id}/identities", ADMINS_ONLY, link, "Link an identity elsewhere to a person",
        "people", body=IdentityBody, answer=IdentityView, status=201,
        errors=(UnknownPerson, InvalidEmail, IdentityTaken),
    ),
    Endpoint(
        "DELETE", "/v1/identities/{identity_id}", ADMINS_ONLY, unlink, "Take an identity from its person", "people",
        body=ReasonBody, body_optional=True, answer=IdentityView, errors=(UnknownIdentity,),
    ),
)  # fmt: skip
