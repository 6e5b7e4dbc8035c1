"""Answers that are held back: nobody takes all places, and a place is free again however it was given up."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from consentry.server.held import Places, ShareUsedUp, TooManyStreams


def _full() -> TooManyStreams:
    return TooManyStreams("full")


async def _held(server, who, count: int, stack: AsyncExitStack) -> None:
    """Open streams, and return once they are open."""
    for _ in range(count):
        stream = await stack.enter_async_context(server.http.stream("GET", "/v1/events", headers=who.headers))
        assert stream.status_code == 200


def test_one_caller_gets_a_share_and_others_the_rest() -> None:
    places = Places(4, 50, _full)
    with places.take("a"), places.take("a"):
        with pytest.raises(ShareUsedUp), places.take("a"):
            pass
        with places.take("b"), places.take("c"):
            with pytest.raises(TooManyStreams), places.take("d"):
                pass
            assert places.taken == 4
        with places.take("d"):
            pass
    assert places.taken == 0
    assert not places._by_caller


def test_the_least_share_is_one_place() -> None:
    with Places(10, 1, _full).take("a"):
        pass


async def test_a_caller_cannot_take_all_streams_by_more_sessions(start) -> None:
    async with start(limits={"streams": 4, "share": 50}) as server, AsyncExitStack() as stack:
        ada, other = await server.person("ada@example.org"), await server.person("ada@example.org")
        assert ada.id == other.id
        await _held(server, ada, 1, stack)
        await _held(server, other, 1, stack)
        for again in (ada, other):
            answer = await server.http.get("/v1/events", headers=again.headers)
            assert (answer.status_code, answer.json()["code"]) == (429, "share_used_up")
            assert int(answer.headers["retry-after"]) > 0
        await _held(server, server.admin, 2, stack)


async def test_an_ended_stream_gives_its_place_back(start) -> None:
    async with start(limits={"streams": 1}) as server:
        for _ in range(3):
            async with AsyncExitStack() as stack:
                await _held(server, server.admin, 1, stack)
            async with asyncio.timeout(20):
                while server.services.streams.taken:
                    await asyncio.sleep(0.01)


async def test_a_caller_cannot_take_all_places_to_wait(start) -> None:
    async with start(limits={"waits": 4, "share": 50}) as server:
        ada = await server.person("ada@example.org", "admins")
        agent, other = await server.agent("etl"), await server.agent("other")
        asked, theirs = await server.submit(agent), await server.submit(other)
        path = f"/v1/actions/{asked['id']}?wait=30"
        waiting = [asyncio.create_task(server.http.get(path, headers=agent.headers)) for _ in range(2)]
        while server.services.waits.taken < 2:
            await asyncio.sleep(0.01)
        refused = await server.http.get(path, headers=agent.headers)
        assert (refused.status_code, refused.json()["code"]) == (429, "share_used_up")
        at_once = await server.get(f"/v1/actions/{asked['id']}", agent)
        assert at_once["state"] == "pending"
        mine = asyncio.create_task(server.http.get(f"/v1/actions/{theirs['id']}?wait=30", headers=other.headers))
        await server.vote(ada, asked["request_id"])
        await server.vote(ada, theirs["request_id"])
        assert {(await one).json()["state"] for one in (*waiting, mine)} == {"approved"}
        assert server.services.waits.taken == 0


async def test_streams_of_mcp_are_of_the_same_share(start) -> None:
    resources = {"files": {"kind": "mcp", "upstream": None, "mcp": {"command": ["true"]}}}
    async with start(limits={"streams": 2, "share": 50}, resources=resources) as server, AsyncExitStack() as stack:
        await _held(server, server.admin, 1, stack)
        headers = {**server.admin.headers, "accept": "text/event-stream"}
        answer = await server.http.get("/mcp/files", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (429, "share_used_up")
