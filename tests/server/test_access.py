"""Every route, walked: who is refused, whatever else the request says (threats D9, A1, A9)."""

from __future__ import annotations

import pytest

from consentry.server.access import Who
from consentry.server.app import OPEN_PAGES, Resource, page_access
from consentry.server.openapi import endpoint as openapi_endpoint
from consentry.server.routes import endpoints

DOORS = {"/mcp/{resource}", "/http/{resource}", "/http/{resource}/{path:path}"}
"""Protocols of their own: their doors let nobody in without a token, and have their own tests."""
ROWS = (*endpoints(), openapi_endpoint())
KINDS = ("nobody", "person", "agent", "service", "exchanged", "auditor", "admin", "ended")


def _allowed(kind: str, takes: frozenset[Who]) -> bool:
    machines = kind in ("agent", "service", "exchanged")
    if machines:
        return Who.AGENT in takes
    if kind in ("nobody", "ended"):
        return False
    return (
        Who.PERSON in takes or (kind == "auditor" and Who.AUDITOR in takes) or (kind == "admin" and Who.ADMIN in takes)
    )


def _url(path: str) -> str:
    """The path with something in its parts that does not exist."""
    filled = path.replace("{path:path}", "0/000")
    while "{" in filled:
        before, _, rest = filled.partition("{")
        filled = before + "none_1" + rest.partition("}")[2]
    return filled


async def _callers(server) -> dict[str, dict[str, str]]:
    agent, service = await server.agent("etl"), await server.agent("cron", kind="service")
    person, auditor = await server.person("p@example.org"), await server.person("a@example.org", "auditors")
    exchanged = await server.acting(agent, server.admin)
    ended = await server.person("e@example.org", "admins")
    await server.delete("/v1/sessions/current", ended, status=204)
    by_kind = {"person": person, "agent": agent, "service": service, "exchanged": exchanged}
    by_kind |= {"auditor": auditor, "admin": server.admin, "ended": ended}
    return {"nobody": {}, **{kind: dict(who.headers) for kind, who in by_kind.items()}}


async def test_d9_every_route_refuses_the_sessions_that_it_does_not_take(server) -> None:
    callers = await _callers(server)
    for row in ROWS:
        for kind in KINDS:
            if row.path == "/v1/events" and _allowed(kind, row.access.takes):
                continue  # answers for ever
            if row.method == "DELETE" and row.path == "/v1/sessions/current" and _allowed(kind, row.access.takes):
                continue  # would sign the caller out
            answer = await server.http.request(row.method, _url(row.path), headers=callers[kind])
            where = f"{row.method} {row.path} as {kind}: {answer.text[:200]}"
            if row.access.open or _allowed(kind, row.access.takes):
                assert answer.status_code not in (401,), where
                if answer.status_code == 403:  # allowed in, refused by a rule of the thing itself
                    assert answer.json()["code"] != "not_signed_in", where
            else:
                expected = 401 if kind in ("nobody", "ended") else 403
                assert answer.status_code == expected, where
                assert answer.json()["code"] == ("not_signed_in" if expected == 401 else "not_allowed"), where


async def test_d9_the_app_serves_nothing_that_is_not_in_the_table(server) -> None:
    from consentry.server.app import create_app

    edge = create_app(server.services)
    served_at = {route.path: route.endpoint for route in edge._app.routes if route.path not in DOORS} | edge._fixed
    served = {(path, method) for path, resource in served_at.items() for method in resource.rows}
    declared = {(row.path, row.method) for row in ROWS}
    assert all(isinstance(resource, Resource) for resource in served_at.values())
    assert {one for one in served if one[1] != "HEAD"} == declared


@pytest.mark.parametrize("path", sorted(DOORS))
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_d9_a_door_refuses_whoever_is_not_signed_in(server, path, method) -> None:
    answer = await server.http.request(method, _url(path), headers={"Authorization": "Bearer ag_wrong"})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert (await server.http.request(method, _url(path))).status_code == 401


async def test_d9_every_page_refuses_whoever_is_not_a_person(server) -> None:
    router = pytest.importorskip("consentry.server.pages.router", reason="the pages are not part of this installation")
    agent = await server.agent("etl")
    paths = {path for path in _paths(router.pages()) if not page_access(path).open}
    assert paths
    for path in sorted(paths):
        for method in ("GET", "POST"):
            nobody = await server.http.request(method, _url(path))
            assert nobody.status_code in (303, 401), path
            if nobody.status_code == 303:
                assert nobody.headers["location"].startswith("/sign-in"), path
            machine = await server.http.request(method, _url(path), headers=agent.headers)
            assert machine.status_code == 403, path


def _paths(router) -> set[str]:
    """Every declared path of a router, included ones too."""
    from fastapi import FastAPI
    from starlette.routing import BaseRoute

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router)
    found: set[str] = set()
    todo: list[BaseRoute] = list(app.routes)
    seen: set[int] = set()
    while todo:
        one = todo.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(getattr(one, "path", None), str):
            found.add(one.path)
        for name in ("routes", "router", "original_router"):
            inner = getattr(one, name, None)
            todo += list(getattr(inner, "routes", inner) or []) if inner is not None else []
    return found


def test_only_a_few_pages_are_open() -> None:
    assert OPEN_PAGES == ("/sign-in", "/sign-in/oidc/", "/sign-out", "/static/", "/favicon.ico")
    for path in ("/", "/requests/req_1", "/sign-in/x", "/identities", "/static", "/people", "/sign-inside"):
        assert not page_access(path).open, path


def test_open_routes_are_these_and_no_others() -> None:
    assert {f"{row.method} {row.path}" for row in ROWS if row.access.open} == {
        "POST /v1/sessions",
        "POST /v1/tokens/exchange",
        "GET /v1/sign-in/providers",
        "GET /healthz",
        "GET /readyz",
        "GET /openapi.json",
        "GET /ledger/checkpoint",
        "GET /ledger/key",
        "GET /ledger/tile/{path:path}",
        "POST /channels/slack/interactions",  # refused unless Slack signed it: tests/channels
        "POST /channels/slack/commands",
        "POST /channels/teams/messages",  # refused without a token of the Bot Framework
    }


def test_a9_no_route_that_decides_takes_agents() -> None:
    deciding = ("/votes", "/v1/grants", "/v1/delegations", "/v1/break-glass", "/close", "/v1/policy/apply", "/enable")
    for row in ROWS:
        if row.method != "GET" and any(part in row.path for part in deciding):
            assert Who.AGENT not in row.access.takes, row.path


async def test_a9_agents_cannot_vote_with_any_token(any_server) -> None:
    server = any_server
    ada = await server.person("ada@example.org", "admins")
    agent, service = (
        await server.agent("etl", owner=await server.person("own@example.org")),
        await server.agent("cron", kind="service"),
    )
    asked = await server.submit(agent)
    # Whoever's token an agent was given: its own, one exchanged for a reviewer's, one exchanged for another agent's.
    for who in (agent, service, await server.acting(agent, ada), await server.acting(service, ada)):
        assert (await server.vote(who, asked["request_id"], status=403))["code"] == "not_allowed"
    assert (await server.get(f"/v1/actions/{asked['id']}", agent))["state"] == "pending"


async def test_a1_a3_administrators_have_no_exemption(any_server) -> None:
    server = any_server
    await server.person("ada@example.org", "admins")
    asked = await server.submit(server.admin)
    assert (await server.vote(server.admin, asked["request_id"], status=403))["code"] == "not_eligible"


async def test_a2_the_owner_of_an_agent_cannot_consent_to_what_it_does(server) -> None:
    ada = await server.person("ada@example.org", "admins")
    bob = await server.person("bob@example.org", "admins")
    agent = await server.agent("etl", owner=ada)
    asked = await server.submit(agent)
    assert (await server.vote(ada, asked["request_id"], status=403))["code"] == "not_eligible"
    assert (await server.vote(bob, asked["request_id"]))["state"] == "approved"


async def test_a2_whom_an_agent_acts_for_cannot_consent(server) -> None:
    ada = await server.person("ada@example.org", "admins")
    await server.person("bob@example.org", "admins")
    asked = await server.submit(await server.acting(await server.agent("etl"), ada))
    assert (await server.vote(ada, asked["request_id"], status=403))["code"] == "not_eligible"


async def test_a5_linked_records_are_one_person(server) -> None:
    ada, twin = await server.person("ada@example.org", "admins"), await server.person("ada@other.example", "admins")
    asked = await server.submit(ada)
    await server.post(f"/v1/people/{ada.id}/merge", server.admin, {"into": twin.id, "reason": "same human"})
    assert (await server.vote(twin, asked["request_id"], status=403))["code"] == "not_eligible"


async def test_a12_a_member_who_joined_after_the_request_does_not_count(any_server, clock) -> None:
    server = any_server
    bob = await server.person("bob@example.org")
    await server.person("cyd@example.org", "admins")
    asked = await server.submit(await server.agent("etl"))
    clock.ahead_ms += 5
    await server.post("/v1/groups/admins/members", server.admin, {"person": bob.id}, status=201)
    late = await server.vote(bob, asked["request_id"], status=403)
    assert late["code"] == "not_eligible"
    clock.ahead_ms += 5
    fresh = await server.submit(await server.agent("etl2"))
    assert (await server.vote(bob, fresh["request_id"]))["state"] == "approved"


async def test_a12_leaving_and_coming_back_counts_from_coming_back(server, clock) -> None:
    bob = await server.person("bob@example.org", "admins")
    asked = await server.submit(await server.agent("etl"))
    clock.ahead_ms += 5
    await server.delete(f"/v1/groups/admins/members/{bob.id}", server.admin, status=204)
    await server.post("/v1/groups/admins/members", server.admin, {"person": bob.id}, status=201)
    assert (await server.vote(bob, asked["request_id"], status=403))["code"] == "not_eligible"


async def test_a12_a_removed_reviewers_consent_falls_away_at_the_claim(any_server) -> None:
    server = any_server
    bob = await server.person("bob@example.org", "admins")
    agent = await server.agent("etl")
    asked = await server.submit(agent)
    await server.vote(bob, asked["request_id"])
    await server.post(f"/v1/people/{bob.id}/disable", server.admin, {"reason": "left"})
    assert (await server.post(f"/v1/actions/{asked['id']}/claim", agent, status=409))["code"] == "void"


async def test_what_a_session_may_not_see_does_not_exist_for_it(server) -> None:
    agent, other = await server.agent("etl"), await server.agent("other")
    stranger, auditor = await server.person("s@example.org"), await server.person("a@example.org", "auditors")
    await server.person("ada@example.org", "admins")
    asked = await server.submit(agent)
    paths = (f"/v1/actions/{asked['id']}", f"/v1/requests/{asked['request_id']}", f"/v1/receipts/{asked['id']}")
    for path in paths:
        for who in (stranger, other):
            assert (await server.get(path, who, status=404))["code"].startswith("unknown_")
        for who in (agent, auditor, server.admin):
            assert (await server.http.get(path, headers=who.headers)).status_code == 200
    assert (await server.get("/v1/requests", stranger))["items"] == []
    await server.post(f"/v1/actions/{asked['id']}/claim", other, status=404)
    await server.post(f"/v1/requests/{asked['request_id']}/withdraw", other, status=404)


async def test_addresses_are_shown_to_administrators_auditors_and_oneself(server) -> None:
    ada = await server.person("ada@example.org")
    seen = {one["id"]: one["email"] for one in (await server.get("/v1/people", ada))["items"]}
    assert seen == {ada.id: "ada@example.org", server.admin.id: None}
    assert (await server.get(f"/v1/people/{ada.id}", server.admin))["email"] == "ada@example.org"


async def test_an_auditor_sees_and_does_not_administer(server) -> None:
    auditor = await server.person("a@example.org", "auditors")
    assert (await server.http.get("/metrics", headers=auditor.headers)).status_code == 200
    await server.post("/v1/agents", auditor, {"name": "x", "owner": auditor.id}, status=403)
    await server.post("/v1/people", auditor, {"email": "new@example.org"}, status=403)
