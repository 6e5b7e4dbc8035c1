"""Live events: in order, without gaps, and only what the session may see."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson


@asynccontextmanager
async def _listening(server, who, after: int | None = None) -> AsyncIterator[asyncio.Queue]:
    """The events that a session hears, as they come."""
    heard: asyncio.Queue[dict] = asyncio.Queue()
    opened = asyncio.Event()
    headers = {**who.headers, **({} if after is None else {"last-event-id": str(after)})}

    async def listen() -> None:
        async with server.http.stream("GET", "/v1/events", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            event: dict[str, str] = {}
            async for line in answer.aiter_lines():
                opened.set()
                name, _, value = line.partition(": ")
                if line:
                    event[name] = value
                elif "data" in event:
                    await heard.put({"id": event.get("id"), "event": event["event"], **orjson.loads(event["data"])})
                    event = {}

    task = asyncio.create_task(listen())
    await asyncio.wait_for(opened.wait(), 20)
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _until(heard: asyncio.Queue, kind: str) -> list[dict]:
    found = []
    while True:
        found.append(await asyncio.wait_for(heard.get(), 20))
        if found[-1]["event"] == kind:
            return found


async def test_a_request_is_heard_by_those_who_may_see_it(any_server) -> None:
    server = any_server
    agent, other = await server.agent("etl"), await server.agent("other")
    ada, stranger = await server.person("ada@example.org", "admins"), await server.person("s@example.org")
    async with (
        _listening(server, ada) as reviewer,
        _listening(server, agent) as caller,
        _listening(server, stranger) as nobody,
        _listening(server, other) as machine,
    ):
        asked = await server.submit(agent)
        await server.vote(ada, asked["request_id"])
        for heard in (reviewer, caller):
            events = await _until(heard, "request.approved")
            assert [one["event"] for one in events if one["event"].startswith("request.")] == [
                "request.opened",
                "request.vote",
                "request.approved",
            ]
            assert [int(one["id"]) for one in events] == sorted(int(one["id"]) for one in events)
        await server.submit(other, "dataset.read", "books")
        await server.submit(stranger, "dataset.read", "books")
        assert (await _until(machine, "action.allowed"))[0]["chain"] == [other.id]
        assert (await _until(nobody, "action.allowed"))[0]["chain"] == [stranger.id]


async def test_a_stream_goes_on_where_it_ended(server) -> None:
    agent = await server.agent("etl")
    async with _listening(server, agent) as heard:
        await server.submit(agent, "dataset.read", "one")
        last = int((await _until(heard, "action.allowed"))[-1]["id"])
    missed = [await server.submit(agent, "dataset.read", f"r{index}") for index in range(5)]
    async with _listening(server, agent, after=last) as heard:
        for one in missed:
            assert (await _until(heard, "action.allowed"))[-1]["action_id"] == one["id"]


async def test_a_stream_from_the_beginning_reads_what_is_long_gone(server) -> None:
    async with _listening(server, server.admin, after=0) as heard:
        first = await asyncio.wait_for(heard.get(), 20)
        assert first["seq"] == 1


async def test_the_ledger_is_followed_for_streams_only(server) -> None:
    hub, agent = server.services.hub, await server.agent("etl")
    assert hub._task is None
    for _ in range(2):
        async with _listening(server, agent) as one, _listening(server, agent) as other:
            await server.submit(agent, "dataset.read", "books")
            assert (await _until(one, "action.allowed"))[-1] == (await _until(other, "action.allowed"))[-1]
            following = hub._task
            assert following is not None
        async with asyncio.timeout(20):  # the server notices that its clients have gone
            await asyncio.wait({following})
        assert hub._task is None
        await server.submit(agent, "dataset.read", "unheard")


async def test_a_stream_ends_with_its_session(server) -> None:
    ada = await server.person("ada@example.org", "admins")
    async with _listening(server, ada) as heard:
        await server.post(f"/v1/people/{ada.id}/disable", server.admin)
        await _until(heard, "session.ended")


async def test_g3_no_event_holds_a_token_or_an_address(server) -> None:
    async with _listening(server, server.admin) as heard:
        ada = await server.person("ada@example.org", "admins")
        agent = await server.agent("etl")
        asked = await server.submit(agent, arguments={"to": "ceo@example.com"}, reason="for ceo@example.com")
        await server.vote(ada, asked["request_id"])
        events = orjson.dumps(await _until(heard, "request.approved")).decode()
    for secret in ("example.org", "ceo@", ada.token, agent.token, "looked at it"):
        assert secret not in events
    metrics = (await server.http.get("/metrics", headers=server.admin.headers)).text
    for secret in ("example.org", ada.id, agent.id, agent.token, "vault"):
        assert secret not in metrics


async def test_a_bad_last_event_id_is_refused(server) -> None:
    for text in ("x", "-1", "1" * 20, "1.5"):
        answer = await server.http.get("/v1/events", headers={**server.admin.headers, "last-event-id": text})
        assert answer.status_code == 400


async def test_there_is_a_limit_of_streams(start) -> None:
    async with start(limits={"streams": 1}) as server, _listening(server, server.admin):
        agent = await server.agent("etl")
        answer = await server.http.get("/v1/events", headers=agent.headers)
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_streams")


async def test_c6_a_standing_grant_ends_nobodys_stream(server) -> None:
    """Its entries name a grant where those of requests name a request: whoever may not see it hears on."""
    agent, other = await server.agent("etl"), await server.agent("other")
    ada = await server.person("ada@example.org", "admins")
    eve, stranger = await server.person("eve@example.org"), await server.person("s@example.org")
    pattern = {"actor": agent.id, "operation": "secret.read", "resource": "vault", "arguments": {}}
    body = {"pattern": pattern, "uses": 2, "expires_ms": 60_000, "reason": "rotation week"}
    async with (
        _listening(server, agent) as actor,
        _listening(server, eve) as signer,
        _listening(server, other) as machine,
        _listening(server, stranger) as nobody,
    ):
        grant = await server.post("/v1/grants", eve, body, status=201)
        await server.delete(f"/v1/grants/{grant['id']}", ada)
        for who in (agent, eve, other, stranger):
            await server.submit(who, "dataset.read", "books")
        for heard in (actor, signer):
            kinds = [one["event"] for one in await _until(heard, "action.allowed")]
            assert kinds[:2] == ["standing.created", "standing.revoked"]
        for heard in (machine, nobody):
            assert [one["event"] for one in await _until(heard, "action.allowed")] == ["action.allowed"]
