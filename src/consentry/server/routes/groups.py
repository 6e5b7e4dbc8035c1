"""Groups: who is in which."""

from __future__ import annotations

from starlette.responses import Response

from consentry.errors import InvalidInput
from consentry.identity.errors import LastAdministrator, UnknownGroup, UnknownPerson
from consentry.identity.sessions import require_person
from consentry.policy.emails import InvalidEmail
from consentry.server.access import ADMINS_ONLY, PERSONS
from consentry.server.endpoint import Call, Endpoint
from consentry.server.views.base import time_text
from consentry.server.views.identity import GroupsPage, GroupView, MemberBody, MemberView


async def every(call: Call) -> GroupsPage:
    return GroupsPage(items=await _groups(call))


async def _groups(call: Call) -> list[GroupView]:
    roster = await call.services.gate.roster()
    groups: dict[str, list[MemberView]] = {}
    for one in await call.services.directory.memberships():
        person = roster.persons.get(one.person)
        member = MemberView(
            person=one.person, name=None if person is None else person.name, since=time_text(one.since_ms)
        )
        groups.setdefault(one.group, []).append(member)
    return [GroupView(name=name, members=members) for name, members in sorted(groups.items())]


async def add(call: Call, body: MemberBody) -> GroupView:
    directory, group = call.services.directory, call.path["group"]
    person = await directory.person(body.person)
    await directory.add_to_group(require_person(call.session), group, person.id)
    return next(one for one in await _groups(call) if one.name == group)


async def remove(call: Call) -> Response:
    directory = call.services.directory
    person = await directory.person(call.path["person_id"])
    await directory.remove_from_group(require_person(call.session), call.path["group"], person.id)
    return Response(status_code=204, headers={"cache-control": "no-store"})


ENDPOINTS = (
    Endpoint("GET", "/v1/groups", PERSONS, every, "All groups with their members", "groups", answer=GroupsPage),
    Endpoint(
        "POST", "/v1/groups/{group}/members", ADMINS_ONLY, add, "Put a person into a group", "groups",
        body=MemberBody, answer=GroupView, status=201, errors=(UnknownPerson, InvalidEmail, InvalidInput),
    ),
    Endpoint(
        "DELETE", "/v1/groups/{group}/members/{person_id}", ADMINS_ONLY, remove, "Take a person out of a group",
        "groups", status=204, errors=(UnknownPerson, InvalidEmail, UnknownGroup, LastAdministrator),
    ),
)  # fmt: skip
