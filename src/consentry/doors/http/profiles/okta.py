"""Okta: who gets into which group, role and application, with names in place of ids for those who decide.

Paths after Okta's published management API. Names are read from the upstream with the gate's own credentials, and are
part of the action: a group that was renamed is another question.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import orjson

from consentry.actions import Json
from consentry.doors.errors import LensFailed, UpstreamFailed
from consentry.doors.http.body import Body, Counted, Unparsed
from consentry.doors.http.client import Client
from consentry.doors.http.config import Rule
from consentry.doors.http.patterns import PathPattern
from consentry.doors.http.routing import Route

ROLE, GROUP = "iam.role.assign", "iam.group.add"
ADMINISTRATIVE: Final = frozenset({"SUPER_ADMIN", "ORG_ADMIN", "CUSTOM"})
"""Roles that make administrators. A custom one may hold any right: it binds a resource set, by another path."""
MOST_GROUPS: Final = 20
_LARGEST = 1 << 20
_NAMES: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "user": ("/api/v1/users/", ("profile", "login")),
    "group": ("/api/v1/groups/", ("profile", "name")),
    "app": ("/api/v1/apps/", ("label",)),
}
"""Of each kind of id: where it is read, and where in the answer its name stands."""


def _rule(operation: str, method: str, path: str, **facts: Json) -> Rule:
    return Rule(operation, PathPattern.parse(path), frozenset({method}), facts=facts)


RULES: Final = (
    _rule(GROUP, "PUT", "/api/v1/groups/{group}/users/{user}", subject="{user}", group="{group}", writes=True),
    _rule(GROUP, "POST", "/api/v1/groups/rules", writes=True, unbounded=True),
    _rule(GROUP, "PUT", "/api/v1/groups/rules/{rule}", writes=True, unbounded=True),
    _rule(GROUP, "POST", "/api/v1/groups/rules/{rule}/lifecycle/activate", writes=True, unbounded=True),
    _rule(GROUP, "POST", "/api/v1/users", writes=True),
    _rule(ROLE, "POST", "/api/v1/users/{user}/roles", subject="{user}", role="{/type}", writes=True),
    _rule(ROLE, "POST", "/api/v1/groups/{group}/roles", group="{group}", role="{/type}", writes=True),
    _rule(ROLE, "POST", "/oauth2/v1/clients/{client}/roles", subject="{client}", role="{/type}", writes=True),
    _rule(ROLE, "PUT", "/api/v1/users/{user}/roles/{role}/targets/{target...}", subject="{user}", role="{role}"),
    _rule(ROLE, "PUT", "/api/v1/groups/{group}/roles/{role}/targets/{target...}", group="{group}", role="{role}"),
    _rule(ROLE, "POST", "/api/v1/iam/resource-sets/{set}/bindings", role="{/role}", writes=True),
    _rule(ROLE, "PATCH", "/api/v1/iam/resource-sets/{set}/bindings/{role}/members", role="{role}", writes=True),
    _rule(ROLE, "POST", "/api/v1/apps/{app}/users", subject="{/id}", writes=True),
    _rule(ROLE, "POST", "/api/v1/apps/{app}/users/{user}", subject="{user}", writes=True),
    _rule(ROLE, "PUT", "/api/v1/apps/{app}/groups/{group}", group="{group}", writes=True),
)
"""What gives somebody rights. Everything else is `http.request`, and what it writes is not allowed outright."""


async def resolve(client: Client, route: Route, body: Body | Counted) -> tuple[Route, Mapping[str, Json] | None]:
    """The route with names for ids in its facts, and the names. Raises `LensFailed`, `UpstreamFailed`."""
    if route.operation not in (ROLE, GROUP):
        return route, None
    ids = {kind: route.parameters[kind] for kind in _NAMES if kind in route.parameters}
    value = _json(body)
    if "app" in ids and "user" not in ids and isinstance(value.get("id"), str):
        ids["user"] = str(value["id"])
    names = {kind: await _name(client, kind, one) for kind, one in ids.items()}
    facts = dict(route.facts)
    if "user" in names:
        facts["subject"] = names["user"]
    if "group" in names:
        facts["group"] = names["group"]
    if "app" in names:
        facts["role"] = f"application {names['app']}"
    groups = value.get("groupIds")
    if isinstance(groups, list) and groups:
        if len(groups) > MOST_GROUPS:  # whoever decides is told of each
            raise LensFailed(f"a user cannot be put into more than {MOST_GROUPS} groups at once: take several requests")
        found = [await _name(client, "group", str(one)) for one in groups]
        facts["group"], names["groups"] = ", ".join(found), ", ".join(found)
    role = facts.get("role")
    facts["admin"] = isinstance(role, str) and (
        role.upper() in ADMINISTRATIVE or route.parameters.get("set") is not None
    )
    if "role" in facts and not isinstance(role, str):
        del facts["role"]
    if route.operation == GROUP and "group" not in facts and not facts.get("unbounded"):
        return replace(route, operation="http.request", facts={"writes": True}), None  # a new user, in no group
    resolved: dict[str, Json] = {kind: {"id": ids.get(kind), "name": name} for kind, name in names.items()}
    return replace(route, facts=facts), resolved or None


def _json(body: Body | Counted) -> Mapping[str, Json]:
    try:
        value = body.json if isinstance(body, Body) and body.size else {}
    except Unparsed:
        raise LensFailed("the body is not JSON of one meaning, so nobody can say what it gives") from None
    return value if isinstance(value, Mapping) else {}


async def _name(client: Client, kind: str, one: str) -> str:
    """What people call an id; the id itself where the upstream knows no name for it."""
    from urllib.parse import quote

    path, pointer = _NAMES[kind]
    upstream = client.upstream
    headers = [("accept", "application/json"), ("accept-encoding", "identity"), *upstream.credentials.headers]
    try:
        answer = await client.send("GET", f"{upstream.base}{path}{quote(one, safe='')}", headers, None, chunked=False)
    except UpstreamFailed:
        raise LensFailed(f"the name of a `{kind}` cannot be read from the upstream, so nobody can decide") from None
    try:
        data = b""
        async for piece in answer.pieces():
            data += piece
            if len(data) > _LARGEST:
                raise LensFailed(f"the upstream's record of a `{kind}` is too large")
        if answer.status == 404:
            return one
        if answer.status != 200:
            raise LensFailed(f"the upstream answers {answer.status} when asked for the name of a `{kind}`")
        value: Json = orjson.loads(data)
    except (orjson.JSONDecodeError, UpstreamFailed):
        raise LensFailed(f"the upstream's record of a `{kind}` cannot be read") from None
    finally:
        answer.close()
    for key in pointer:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) and value else one
