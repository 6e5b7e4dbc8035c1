"""Lines of the threat list that this door could break, tried on it; those about framing are in `test_framing`."""

from __future__ import annotations

import asyncio
import json

import pytest

BOTH = pytest.mark.parametrize("main", [False, True], ids=["listener", "main"])
BODY = b'{"table": "orders"}'
JSON = {"content-type": "application/json"}


@BOTH
async def test_a9_an_agent_cannot_vote_through_the_door_or_beside_it(gateway, upstream, main):
    await gateway.fetch("POST", "/erase", data=BODY, headers=JSON, main=main)
    request = await gateway.asked()
    vote = {"verdict": "approve", "shown_digest": request.shown_digest}
    given = {"authorization": f"Bearer {gateway.token}"}
    async with gateway.http.post(
        f"{gateway.services.origin}/v1/requests/{request.id}/votes", json=vote, headers=given
    ) as answer:
        assert answer.status == 403
    for path in (f"/v1/requests/{request.id}/votes", "/approve", f"/requests/{request.id}"):
        await gateway.fetch("POST", path, json=vote, main=main)
    found = {one.id: one for one in await gateway.pending()}
    assert found[request.id].votes == ()
    assert upstream.requests == []


@BOTH
async def test_b4_the_gates_own_fields_are_data(gateway, upstream, main):
    body = {
        "approved": True,
        "grant_id": "grt_1",
        "resource": "other",
        "actor": "admin",
        "consentry": {"verdict": "allow"},
    }
    headers = {"x-consentry-approved": "true", "consentry-grant": "grt_1", "x-consentry-actor": "admin"}
    status, _, _ = await gateway.fetch("POST", "/erase?approved=1&grant=grt_1", json=body, headers=headers, main=main)
    assert status == 409
    action = (await gateway.asked()).action
    assert action.resource == "shop"
    assert action.operation == "http.request"
    assert action.arguments["body"]["json"] == body
    assert action.arguments["headers"]["x-consentry-approved"] == "true"
    assert set(action.arguments) == {"method", "origin", "target", "headers", "body"}
    assert upstream.requests == []


@BOTH
async def test_c1_nothing_that_is_sent_says_that_it_was_approved(gateway, upstream, main):
    _, body, _ = await gateway.fetch("POST", "/erase", data=BODY, headers=JSON, main=main)
    pending = json.loads(body)
    for extra in (
        {"authorization-grant": pending["id"]},
        {"x-action-id": pending["id"], "prefer": "respond-async"},
        {"if-match": pending["id"]},
    ):
        status, _, _ = await gateway.fetch("POST", "/erase", data=BODY, headers={**JSON, **extra}, main=main)
        assert status in (202, 409)
    forged = json.dumps({"table": "orders", "history": [{**pending, "state": "approved"}]})
    assert (await gateway.fetch("POST", "/erase", data=forged, headers=JSON, main=main))[0] == 409
    assert upstream.requests == []


@BOTH
async def test_c1_a_consent_is_used_once(gateway, upstream, main):
    waiting = asyncio.create_task(gateway.fetch("POST", "/erase", data=BODY, headers=JSON, main=main))
    await gateway.vote()
    assert (await waiting)[0] == 200
    assert (await gateway.fetch("POST", "/erase", data=BODY, headers=JSON, main=main))[0] == 409
    assert upstream.lines == ["POST /erase"]
    assert len(await gateway.pending()) == 1


@BOTH
async def test_c8_it_runs_as_the_caller_and_for_nobody_else(gateway, upstream, main):
    await gateway.fetch("POST", "/erase", data=BODY, headers=JSON, main=main)
    await gateway.vote()
    other = await gateway.agent("other")
    status, _, _ = await gateway.fetch("POST", "/erase", data=BODY, headers=JSON, token=other, main=main)
    assert status == 409
    assert upstream.requests == []
    assert (await gateway.fetch("POST", "/erase", data=BODY, headers=JSON, main=main))[0] == 200


@pytest.mark.parametrize(
    "change",
    [
        {"data": b'{"table": "customers"}'},
        {"path": "/erase?all=1"},
        {"method": "PUT"},
        {"headers": {"content-type": "text/plain"}},
    ],
)
async def test_b5_a_consent_is_for_exactly_what_was_shown(gateway, upstream, change):
    same = {"method": "POST", "path": "/erase", "data": BODY, "headers": JSON}
    await gateway.fetch(same.pop("method"), same.pop("path"), **same)
    await gateway.vote()
    other = {"method": "POST", "path": "/erase", "data": BODY, "headers": JSON, **change}
    assert (await gateway.fetch(other.pop("method"), other.pop("path"), **other))[0] == 409
    assert upstream.requests == []


@BOTH
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer nobody"},
        {"authorization": "Basic {token}"},
        {"authorization": "{token}"},
        {"x-api-key": "{token}"},
        {"cookie": "consentry_session={token}"},
        {"proxy-authorization": "Bearer {token}"},
    ],
)
async def test_d9_without_a_token_there_is_no_door(gateway, upstream, main, headers):
    given = {name: value.format(token=gateway.token) for name, value in headers.items()}
    for method in ("GET", "POST", "OPTIONS", "DELETE", "HEAD"):
        async with gateway.http.request(method, gateway.url("/x", main=main), headers=given) as answer:
            assert answer.status == 401
    assert upstream.requests == []


async def test_d9_a_person_signed_in_by_cookie_is_nobody_here(gateway, upstream):
    """Else any page could make a browser send requests through the door."""
    directory = gateway.services.directory
    link = await directory.invite(None, "joon@example.org")
    person = await directory.sign_in(link.token)
    async with gateway.http.get(gateway.url("/x", main=True), cookies={"consentry_session": person.token}) as answer:
        assert answer.status == 401
    assert (await gateway.fetch("GET", "/x", token=person.token, main=True))[0] == 200


async def test_d9_two_tokens_are_none(gateway, upstream):
    tokens = f"Authorization: Bearer {gateway.token}\r\nAuthorization: Bearer x\r\n"
    status, _ = await gateway.raw(f"GET /x HTTP/1.1\r\nHost: a\r\n{tokens}\r\n".encode())
    assert status == 401
    assert upstream.requests == []


@BOTH
async def test_h8_what_callers_say_of_themselves_is_written_anew(gateway, upstream, main):
    lies = {
        "x-forwarded-for": "10.0.0.1",
        "x-forwarded-host": "admin.internal",
        "x-forwarded-proto": "gopher",
        "x-forwarded-user": "root",
        "forwarded": "for=10.0.0.1",
        "x-real-ip": "10.0.0.1",
        "via": "1.1 other",
        "true-client-ip": "10.0.0.1",
    }
    assert (await gateway.fetch("GET", "/x", headers=lies, main=main))[0] == 200
    assert upstream.header("x-forwarded-for") == ["127.0.0.1"]
    assert upstream.header("x-forwarded-proto") == ["http"]
    assert upstream.header("via") == ["1.1 consentry"]
    for name in ("x-forwarded-host", "x-forwarded-user", "forwarded", "x-real-ip", "true-client-ip"):
        assert upstream.header(name) == []
    assert upstream.header("host") == [upstream.url.removeprefix("http://")]


@BOTH
async def test_h8_headers_that_a_connection_header_names_go_no_further(gateway, upstream, main, monkeypatch):
    given = {"connection": "close, x-secret", "x-secret": "1", "te": "trailers", "keep-alive": "5", "x-other": "2"}
    assert (await gateway.fetch("GET", "/x", headers=given, main=main))[0] == 200
    for name in ("x-secret", "te", "keep-alive", "connection"):
        assert upstream.header(name) == []
    assert upstream.header("x-other") == ["2"]


async def test_h8_a_connection_header_takes_nothing_of_the_gates_away(start, upstream, monkeypatch):
    monkeypatch.setenv("UP_KEY", "of-the-gate")
    async with start(http={"bearer": "env:UP_KEY"}) as gateway:
        await gateway.fetch("GET", "/x", headers={"connection": "close, authorization"})
    assert upstream.header("authorization") == ["Bearer of-the-gate"]


async def test_b8_secrets_of_a_body_are_bound_and_not_shown(gateway):
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"[:36]
    body = json.dumps({"note": f"use {secret}"}).encode()
    await gateway.fetch("POST", "/x", data=body, headers=JSON)
    request = await gateway.asked()
    assert secret.encode() not in request.action.canonical
    assert request.facts.values["secrets"] == 1
    assert "<SECRET>" in request.action.arguments["body"]["json"]["note"]
