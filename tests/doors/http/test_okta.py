"""Okta through the door, in front of an upstream that answers after Okta's published management API."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

USERS = {"00u1": "ada@example.com", "00u2": "bob@example.com"}
GROUPS = {"00g1": "Everyone in payments"}
APPS = {"0oa1": "Ledger"}


@pytest.fixture
def okta(upstream):
    """What changed, in order."""
    changed: list[str] = []

    async def answer(request, body):
        parts = request.path.split("/")
        if request.headers.get("authorization") != "SSWS of-the-gate":
            return web.json_response({"errorCode": "E0000011"}, status=401)
        if request.method != "GET":
            changed.append(f"{request.method} {request.path}")
            return web.Response(status=204)
        known, name = {
            "users": (USERS, ("profile", "login")),
            "groups": (GROUPS, ("profile", "name")),
            "apps": (APPS, ("label",)),
        }[parts[3]]
        found = known.get(parts[4])
        if found is None:
            return web.json_response({"errorCode": "E0000007"}, status=404)
        value = found
        for key in reversed(name):
            value = {key: value}
        return web.json_response({"id": parts[4], **value})

    upstream.answers["api"] = answer
    return changed


@pytest.fixture
def begin(start, monkeypatch):
    monkeypatch.setenv("OKTA", "SSWS of-the-gate")
    return lambda: start(http={"profile": "okta", "headers": {"Authorization": "env:OKTA"}})


@pytest.mark.parametrize(
    ("method", "path", "body", "operation", "facts"),
    [
        (
            "PUT",
            "/api/v1/groups/00g1/users/00u1",
            None,
            "iam.group.add",
            {"subject": "ada@example.com", "group": "Everyone in payments"},
        ),
        (
            "POST",
            "/api/v1/users/00u2/roles",
            {"type": "HELP_DESK_ADMIN"},
            "iam.role.assign",
            {"subject": "bob@example.com", "role": "HELP_DESK_ADMIN", "admin": False},
        ),
        (
            "POST",
            "/api/v1/groups/00g1/roles",
            {"type": "APP_ADMIN"},
            "iam.role.assign",
            {"group": "Everyone in payments", "role": "APP_ADMIN"},
        ),
        (
            "POST",
            "/api/v1/apps/0oa1/users",
            {"id": "00u1"},
            "iam.role.assign",
            {"subject": "ada@example.com", "role": "application Ledger"},
        ),
        (
            "PUT",
            "/api/v1/apps/0oa1/groups/00g1",
            {},
            "iam.role.assign",
            {"group": "Everyone in payments", "role": "application Ledger"},
        ),
        (
            "POST",
            "/api/v1/users?activate=true",
            {"profile": {}, "groupIds": ["00g1"]},
            "iam.group.add",
            {"group": "Everyone in payments"},
        ),
        ("POST", "/api/v1/users", {"profile": {}}, "http.request", {"writes": True}),
        ("DELETE", "/api/v1/groups/00g1/users/00u1", None, "http.request", {}),
        ("PUT", "/api/v1/groups/00g1/users/00u9", None, "iam.group.add", {"subject": "00u9"}),
    ],
)
async def test_what_gives_rights_is_named_for_people(begin, okta, method, path, body, operation, facts):
    async with begin() as gateway:
        headers = {"prefer": "respond-async"}
        status, _, _ = await gateway.fetch(method, path, json=body, headers=headers)
        assert status == 202
        request = await gateway.asked()
        assert request.action.operation == operation
        assert {name: request.facts.values.get(name) for name in facts} == facts
        if operation.startswith("iam."):
            shown = (await gateway.services.gate.preview(request.id)).text
            assert all(str(value) in shown for name, value in facts.items() if isinstance(value, str))
        assert okta == []
        await gateway.vote()
        status, _, _ = await gateway.fetch(method, path, json=body, headers=headers)
        assert status == 204
    assert okta == [f"{method} {path.partition('?')[0]}"]


async def test_an_agent_makes_no_administrators(begin, okta):
    async with begin() as gateway:
        status, body, _ = await gateway.fetch("POST", "/api/v1/users/00u1/roles", json={"type": "SUPER_ADMIN"})
    assert (status, json.loads(body)["reasons"][0]["policy"]) == (403, "agents-do-not-make-administrators")
    assert okta == []


async def test_the_sdks_scheme_carries_the_callers_token(begin, okta):
    async with begin() as gateway:
        headers = {"authorization": f"SSWS {gateway.token}"}
        assert (await gateway.fetch("GET", "/api/v1/users/00u1", headers=headers))[0] == 200


async def test_without_names_nobody_can_decide(begin, upstream, problem):
    async def broken(request, body):
        return web.Response(status=500)

    upstream.answers["api"] = broken
    async with begin() as gateway:
        status, body, _ = await gateway.fetch("PUT", "/api/v1/groups/00g1/users/00u1")
        assert (status, problem(body)) == (403, "lens_failed")
        assert await gateway.history() == []


async def test_b5_a_group_that_was_renamed_is_asked_anew(begin, okta, monkeypatch):
    async with begin() as gateway:
        headers = {"prefer": "respond-async"}
        await gateway.fetch("PUT", "/api/v1/groups/00g1/users/00u1", headers=headers)
        await gateway.vote()
        monkeypatch.setitem(GROUPS, "00g1", "Administrators")
        assert (await gateway.fetch("PUT", "/api/v1/groups/00g1/users/00u1", headers=headers))[0] == 202
    assert okta == []


@pytest.mark.parametrize("role", ["CUSTOM", "SUPER_ADMIN", "super_admin"])
async def test_a1_a_custom_role_is_administrative_by_either_path(begin, okta, role):
    """It may hold every right: `resource-sets/…/bindings` says the same thing in other words."""
    body = {"type": role, "role": "cr0all", "resource-set": "iam0all"}
    async with begin() as gateway:
        status, answer, _ = await gateway.fetch("POST", "/api/v1/users/00u2/roles", json=body)
        assert status == 403
        assert "agents-do-not-make-administrators" in answer.decode()
    assert okta == []


async def test_d6_no_group_is_left_unnamed(begin, okta):
    groups = [f"00g{number}" for number in range(2, 22)] + ["00g1"]
    async with begin() as gateway:
        status, _, _ = await gateway.fetch("POST", "/api/v1/users", json={"profile": {}, "groupIds": groups})
        assert status >= 400
        assert await gateway.pending() == []
    assert okta == []
