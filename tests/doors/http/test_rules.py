"""Rules: which request is which operation, what policy is told of it, and what cannot be told apart."""

from __future__ import annotations

import json

import pytest

from consentry.doors.http import routing, wire
from consentry.doors.http.body import Body
from consentry.doors.http.config import Upstream
from consentry.doors.http.errors import UnreadableBody
from consentry.doors.http.patterns import InvalidPattern, PathPattern
from consentry.doors.http.wire import Head
from consentry.server.http_settings import upstream as build
from consentry.server.settings import InvalidSettings, SanitizeSettings
from consentry.server.settings_resources import ResourceSettings

JSON = {"content-type": "application/json"}
ROLES = {
    "operation": "iam.role.assign",
    "method": "POST",
    "path": "/api/v1/users/{user}/roles",
    "facts": {"subject": "{user}", "role": "{/type}", "admin": True},
}
RULES = [
    {"operation": "secret.read", "path": "/secrets/{name...}", "facts": {"key": "{name}"}},
    {"operation": "dataset.export", "method": "POST", "path": "/jobs", "body": {"/kind": "export"}},
    {"operation": "http.request", "method": "POST", "path": "/jobs"},
    {"operation": "s3.delete", "method": "GET", "path": "/files", "query": {"purge": "true"}},
    ROLES,
]


def an_upstream(**http) -> Upstream:
    settings = ResourceSettings.model_validate({"kind": "http", "upstream": "https://api.example.com", "http": http})
    return build("shop", settings, SanitizeSettings())


def a_body(data: bytes) -> Body:
    return Body(data, None, len(data), "")


@pytest.mark.parametrize(
    ("method", "target", "body", "operation", "facts"),
    [
        (
            "POST",
            "/api/v1/users/u1/roles",
            b'{"type": "X"}',
            "iam.role.assign",
            {"subject": "u1", "role": "X", "admin": True},
        ),
        (
            "POST",
            "/api/v1/users/u%31/roles/",
            b'{"type": "X"}',
            "iam.role.assign",
            {"subject": "u1", "role": "X", "admin": True},
        ),
        (
            "POST",
            "/api/v1/users/u1/roles?x=1",
            b'{"type": ["X"]}',
            "iam.role.assign",
            {"subject": "u1", "role": ["X"], "admin": True},
        ),
        ("POST", "/api/v1/users/u1/roles", b"{}", "iam.role.assign", {"subject": "u1", "admin": True}),
        ("PUT", "/api/v1/users/u1/roles", b"{}", "http.request", {}),
        ("POST", "/API/v1/users/u1/roles", b"{}", "http.request", {}),
        ("POST", "/api/v1/users/roles", b"{}", "http.request", {}),
        ("GET", "/secrets/a/b%20c", b"", "secret.read", {"key": "a/b c"}),
        ("DELETE", "/secrets/a", b"", "secret.read", {"key": "a"}),
        ("POST", "/jobs", b'{"kind": "export"}', "dataset.export", {}),
        ("POST", "/jobs", b'{"kind": "import"}', "http.request", {}),
        ("GET", "/files?a=1&purge=true", b"", "s3.delete", {}),
        ("GET", "/files?purge=false&purge=true", b"", "s3.delete", {}),
        ("GET", "/files?p%75rge=true", b"", "s3.delete", {}),
        ("GET", "/files?purge=false", b"", "http.request", {}),
    ],
)
def test_a_request_is_found_to_be_its_operation(method, target, body, operation, facts):
    found = routing.route(an_upstream(rules=RULES), Head(method, target, ()), a_body(body))
    assert (found.operation, dict(found.facts)) == (operation, facts)


@pytest.mark.parametrize("body", [b"not json", b'{"kind": "x", "kind": "export"}', b"", b'{"kind": NaN}', b"\xff"])
def test_a_body_that_a_rule_needs_and_nobody_can_read_is_refused(body):
    with pytest.raises(UnreadableBody):
        routing.route(an_upstream(rules=RULES), Head("POST", "/jobs", ()), a_body(body))


def test_paths_are_compared_without_case_where_the_upstream_does():
    rules = an_upstream(rules=[ROLES], ignore_case=True)
    assert (
        routing.route(rules, Head("POST", "/API/V1/Users/u1/ROLES", ()), a_body(b"{}")).operation == "iam.role.assign"
    )


@pytest.mark.parametrize("text", ["x", "/{a}{b}", "/{a...}/b", "/x{a...}", "/{a", "/{}"])
def test_patterns_that_mean_nothing_are_refused(text):
    with pytest.raises(InvalidPattern):
        PathPattern.parse(text)


@pytest.mark.parametrize(
    "http",
    [
        {"rules": [{"operation": "http.request", "path": "no-slash"}]},
        {"bearer": "env:HOME", "basic": "env:HOME"},
        {"headers": {"bad header": "env:HOME"}},
        {"openapi": "/nowhere.json"},
    ],
)
def test_settings_that_cannot_hold_are_refused(http):
    with pytest.raises(InvalidSettings):
        an_upstream(**http)


@pytest.mark.parametrize("url", ["ftp://x", "https://user@x", "https://x/?a=1", "https://"])
def test_addresses_that_are_none_are_refused(url):
    settings = ResourceSettings.model_validate({"kind": "http", "upstream": url})
    with pytest.raises(InvalidSettings):
        build("shop", settings, SanitizeSettings())


DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://api.example.com/v2"}],
    "paths": {
        "/users/{id}": {
            "get": {"operationId": "getUser"},
            "delete": {
                "operationId": "deleteUser",
                "x-consentry-operation": "iam.role.assign",
                "x-consentry-facts": {"subject": "{id}"},
            },
        },
        "/users/me": {"get": {"operationId": "getMe"}, "parameters": []},
    },
}


async def test_an_openapi_document_names_operations(start, upstream, tmp_path, problem):
    file = tmp_path / "api.json"
    file.write_text(json.dumps(DOCUMENT))
    async with start(http={"openapi": str(file), "only_known": True}) as gateway:
        await gateway.fetch("GET", "/v2/users/me")
        await gateway.fetch("GET", "/v2/users/7")
        status, body, _ = await gateway.fetch("GET", "/v2/other")
        assert (status, problem(body)) == (404, "unknown_operation")
        await gateway.fetch("DELETE", "/v2/users/7")
        request = await gateway.asked()
        found = await gateway.settled(3)
    assert [action.arguments["called"] for action, _ in found] == ["getMe", "getUser", "deleteUser"]
    assert found[1][0].arguments["parameters"] == {"id": "7"}
    assert request.action.operation == "iam.role.assign"
    assert request.facts.values["subject"] == "7"
    assert request.facts.values["tool"] == "deleteUser"


async def test_policy_decides_by_facts_of_rules(start, upstream):
    async with start(http={"rules": [ROLES]}) as gateway:
        status, body, _ = await gateway.fetch("POST", "/api/v1/users/u1/roles", json={"type": "SUPER_ADMIN"})
    assert status == 403
    assert json.loads(body)["reasons"][0]["policy"] == "agents-do-not-make-administrators"
    assert upstream.requests == []


@pytest.mark.parametrize("value", ["respond-async", "return=minimal, respond-async;x=1", "wait=10,respond-async"])
def test_preferences_are_read(value):
    head = wire.read("GET", "/a", [(b"host", b"x"), (b"prefer", value.encode())])
    assert wire.wants_async(head)
    assert not [one for one in wire.passed_on(head, ours=frozenset(), cookies=False) if "respond" in one[1]]
