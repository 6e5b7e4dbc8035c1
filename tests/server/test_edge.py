"""What comes in from outside: hosts, origins, cookies, bodies, errors."""

from __future__ import annotations

import asyncio
import json

import pytest

PROBLEM = "application/problem+json"
ACTION = {"operation": "dataset.read", "resource": "books"}


async def _cookie(server, email: str = "ada@example.org") -> tuple[str, str]:
    """A browser's session: name and value of its cookie."""
    invitation = await server.services.directory.invite(None, email, groups=("admins",))
    answer = await server.http.post(
        "/v1/sessions", json={"token": invitation.token, "cookie": True}, headers={"sec-fetch-site": "same-origin"}
    )
    assert answer.status_code == 201
    assert answer.json()["session"] is None
    header = answer.headers["set-cookie"]
    assert "HttpOnly" in header
    assert "SameSite=Strict" in header
    name, _, value = header.partition(";")[0].partition("=")
    server.http.cookies.clear()
    return name, value


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 201),
        ({"origin": "OURS"}, 201),
        ({"origin": "OURS", "sec-fetch-site": "same-origin"}, 201),
        ({}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "OURS", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "https://evil.example", "sec-fetch-site": "same-origin"}, 403),
        ({"origin": "http://localhost.evil.example"}, 403),
    ],
)
async def test_d5_a_cookie_changes_something_only_from_our_own_page(server, headers, status) -> None:
    name, value = await _cookie(server)
    given = {key: server.services.origin if text == "OURS" else text for key, text in headers.items()}
    answer = await server.http.post("/v1/actions", json=ACTION, headers={**given, "cookie": f"{name}={value}"})
    assert answer.status_code == status, answer.text
    if status == 403:
        assert answer.json()["code"] == "cross_site"


async def test_d5_looking_at_a_link_or_a_request_decides_nothing(server) -> None:
    agent = await server.agent("etl")
    name, value = await _cookie(server)
    asked = await server.submit(agent)
    invitation = await server.services.directory.invite(None, "bob@example.org")
    paths = (f"/sign-in?token={invitation.token}", "/sign-in", f"/requests/{asked['request_id']}")
    for path in (*paths, f"/v1/requests/{asked['request_id']}/votes?verdict=approve"):
        for method in ("GET", "HEAD", "OPTIONS"):
            answer = await server.http.request(method, path, headers={"cookie": f"{name}={value}"})
            assert answer.status_code < 500, (method, path)
    assert (await server.get(f"/v1/actions/{asked['id']}", agent))["state"] == "pending"
    await server.services.directory.sign_in(invitation.token)


async def test_a_bearer_token_of_another_kind_does_not_hide_the_cookie(server) -> None:
    name, value = await _cookie(server)
    headers = {"cookie": f"{name}={value}", "authorization": "Basic eDp5"}
    assert (await server.http.post("/v1/actions", json=ACTION, headers=headers)).json()["code"] == "cross_site"
    headers["authorization"] = "Bearer x"
    assert (await server.http.post("/v1/actions", json=ACTION, headers=headers)).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "a:b", "[::1"]
)
async def test_an_unknown_host_is_refused(server, host) -> None:
    answer = await server.http.get("/healthz", headers={"host": host})
    assert answer.status_code in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1", "LOCALHOST:99", "[::1]:7"])
async def test_a_known_host_is_taken(server, host) -> None:
    assert (await server.http.get("/healthz", headers={"host": host})).status_code == 200


BAD = [
    (b"{", 400, "invalid_input"),
    (b"", 400, "invalid_input"),
    (b"[]", 400, "invalid_input"),
    (b"\xff\xfe", 400, "invalid_input"),
    (b'{"operation": "a.b", "operation": "a.c", "resource": "r"}', 400, "not_exact_json"),
    (b'{"operation": "a.b", "resource": "r", "arguments": {"x": NaN}}', 400, "not_exact_json"),
    (b'{"operation": "a.b", "resource": "r", "arguments": {"x": 1e999}}', 400, "not_exact_json"),
    (b'{"operation": "a.b", "resource": "r", "arguments": {"x": 9007199254740993}}', 400, "not_exact_json"),
    (b'{"operation": "a.b", "resource": "r", "arguments": {"x": "\\ud800"}}', 400, "not_exact_json"),
    (b'{"operation": "a.b", "resource": "r", "arguments": {"\\ud800": 1}}', 400, "not_exact_json"),
    (b'{"operation": "a.b", "resource": "\\ud800"}', 400, "not_exact_json"),
    (b'{"operation": "a.b", "resource": "a\\u0000b"}', 422, "invalid_fields"),
    (b'{"operation": "a.b", "resource": "r", "reason": "\\u0000"}', 422, "invalid_fields"),
    (b'{"operation": "A.B", "resource": "r"}', 422, "invalid_fields"),
    (b'{"operation": "a.b", "resource": ""}', 422, "invalid_fields"),
    (b'{"operation": "a.b", "resource": 5}', 422, "invalid_fields"),
    (b'{"operation": "a.b"}', 422, "invalid_fields"),
    (b'{"operation": "a.b", "resource": "r", "\\ud800": 1}', 400, "not_exact_json"),
    (b'{"operation": "a.b", "resource": "r", "operands": [{"name": "f", "sha256": "xyz"}]}', 422, "invalid_fields"),
    (
        b'{"operation": "a.b", "resource": "r", "arguments": ' + b'{"a":' * 70 + b"1" + b"}" * 70 + b"}",
        400,
        "not_exact_json",
    ),
    (b'{"operation": "a.b", "resource": "r", "arguments": ' + b"[" * 100_000, 400, None),
]


@pytest.mark.parametrize(("body", "status", "code"), BAD)
async def test_bad_bodies_get_a_clear_problem(server, body, status, code) -> None:
    agent = await server.agent("etl")
    headers = {**agent.headers, "content-type": "application/json"}
    answer = await server.http.post("/v1/actions", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == PROBLEM
    problem = answer.json()
    assert problem["status"] == status
    assert code is None or problem["code"] == code
    assert problem["type"] == f"urn:consentry:problem:{problem['code']}"


async def test_a_body_over_the_limit_is_refused_before_it_is_read(start) -> None:
    async with start(limits={"body": 2048}) as server:
        agent = await server.agent("etl")
        headers = {**agent.headers, "content-type": "application/json"}
        body = json.dumps({**ACTION, "arguments": {"x": "y" * 4096}}).encode()
        answer = await server.http.post("/v1/actions", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

        async def chunks():
            for at in range(0, len(body), 512):
                yield body[at : at + 512]

        streamed = await server.http.post("/v1/actions", content=chunks(), headers=headers)
        assert (streamed.status_code, streamed.json()["code"]) == (413, "too_large")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/ledger/nothing", 404, "not_found"),
        ("PUT", "/v1/actions", 405, "method_not_allowed"),
        ("PATCH", "/v1/requests/req_1", 405, "method_not_allowed"),
        ("GET", "/v1/requests/%00", 404, "not_found"),
        ("GET", "/v1/requests/..%2f..%2fetc", 404, "not_found"),
        ("GET", "/ledger/tile/0/%2e%2e/%2e%2e/key", 404, "not_found"),
        ("GET", "/ledger/tile/99/999", 404, "not_found"),
        ("GET", "/v1/actions?limit=0", 422, "invalid_fields"),
        ("GET", "/v1/actions?limit=1&limit=2", 422, "invalid_fields"),
        ("GET", "/v1/actions?since=yesterday", 422, "invalid_fields"),
        ("GET", "/v1/actions?since=2026-99-99T99:99:99.999Z", 422, "invalid_fields"),
        ("GET", "/v1/actions?nonsense=1", 422, "invalid_fields"),
        ("GET", "/v1/actions?resource=%00", 422, "invalid_fields"),
        ("GET", "/v1/actions/act_1?wait=nan", 422, "invalid_fields"),
        ("GET", "/v1/actions/act_1", 404, "unknown_action"),
    ],
)
async def test_errors_of_the_framework_are_problems_too(server, method, path, status, code) -> None:
    answer = await server.http.request(method, path, headers=server.admin.headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == PROBLEM


async def test_another_content_type_is_refused(server) -> None:
    for media in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", ""):
        answer = await server.http.post(
            "/v1/actions", content=b"{}", headers={**server.admin.headers, "content-type": media}
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


async def test_an_internal_error_says_nothing_of_itself(server, monkeypatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("password=hunter2")

    monkeypatch.setattr(server.services.gate, "roster", broken)
    answer = await server.http.get("/v1/sessions/current", headers=server.admin.headers)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "hunter2" not in answer.text


async def test_every_answer_carries_the_security_headers(server) -> None:
    for path in ("/healthz", "/v1/actions", "/nothing", "/sign-in"):
        headers = (await server.http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


async def test_too_many_failed_sign_ins_have_to_wait(start) -> None:
    async with start(identity={"attempts": 3}) as server:
        body = {"token": "in_" + "x" * 43}
        for _ in range(3):
            assert (await server.post("/v1/sessions", None, body, status=401))["code"] == "not_signed_in"
        answer = await server.http.post("/v1/sessions", json=body)
        assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
        assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_whoever_holds_a_link_or_token_gets_in_while_others_fail_from_the_same_address(start) -> None:
    """Behind a proxy everybody has one address: eleven wrong guesses must not lock out all the others."""
    async with start(identity={"attempts": 2}) as server:
        agent = await server.agent("etl")
        ada = await server.person("ada@example.org")
        for status in (401, 401, 429):
            await server.post("/v1/sessions", None, {"token": "in_" + "x" * 43}, status=status)
        link = (await server.post("/v1/people", ada, {"email": "ada@example.org"}, status=201))["token"]
        await server.post("/v1/sessions", None, {"token": link}, status=201)
        tokens = {"actor_token": agent.token, "subject_token": ada.token}
        exchange = {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", **tokens}
        await server.post("/v1/tokens/exchange", None, exchange)


async def test_c6_a_stopping_server_lets_go_of_its_waiters_with_an_answer(start) -> None:
    async with start() as server:
        agent = await server.agent("etl")
        await server.person("ada@example.org", "admins")
        asked = await server.submit(agent)
        waiters = [asyncio.create_task(server.get(f"/v1/actions/{asked['id']}?wait=60", agent)) for _ in range(5)]
        while server.services.waits.taken < 5:
            await asyncio.sleep(0.01)
        server.services.stop()
        assert [(await one)["state"] for one in waiters] == ["pending"] * 5


async def test_a_waiter_whose_session_has_ended_hears_nothing(server) -> None:
    agent = await server.agent("etl")
    ada = await server.person("ada@example.org", "admins")
    asked = await server.submit(agent)
    waiter = asyncio.create_task(server.http.get(f"/v1/actions/{asked['id']}?wait=30", headers=agent.headers))
    while not server.services.waits.taken:
        await asyncio.sleep(0.01)
    await server.post(f"/v1/agents/{agent.id}/rotate", server.admin)
    await server.vote(ada, asked["request_id"])
    assert (await waiter).status_code == 401
