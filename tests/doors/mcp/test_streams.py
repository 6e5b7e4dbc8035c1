"""Streams of the earlier revisions that were cut off, and taken up again by `Last-Event-ID`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from consentry.doors.mcp.streams import KEPT_BYTES, KEPT_STREAMS, Streams
from consentry.doors.mcp.wire import Notification


@pytest.fixture
async def gateway(start, shop) -> AsyncIterator[Any]:
    shop = {**shop, "mcp": {**shop["mcp"], "hold": "60s", "beat": "1s"}}
    async with start({"shop": shop}) as one:
        yield one


@asynccontextmanager
async def session(gateway: Any, version: str = "2025-11-25") -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an earlier revision, by hand."""
    greeting = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    async with gateway.raw() as http:
        body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": greeting}
        answer = await http.post(gateway.url(), json=body)
        http.headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        http.headers["mcp-protocol-version"] = version
        await http.post(gateway.url(), json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield http


async def cut_off(gateway: Any, http: httpx2.AsyncClient, tool: str, **arguments: object) -> tuple[str, list[dict]]:
    """Make a call, and hang up after its first message; the last event's id, and what was said."""
    params = {"name": tool, "arguments": arguments, "_meta": {"progressToken": "p"}}
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    last, said = "", []
    async with http.stream("POST", gateway.url(), json=body) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("id:"):
                last = line[3:].strip()
            if line.startswith("data:") and line[5:].strip():
                said.append(json.loads(line[5:]))
                break
    return last, said


async def taken_up(gateway: Any, http: httpx2.AsyncClient, last: str) -> list[dict]:
    """The rest of a stream, to its end."""
    answer = await http.get(gateway.url(), headers={"last-event-id": last})
    assert answer.status_code == 200
    return [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]


async def test_a_call_that_was_cut_off_goes_on(gateway):
    async with session(gateway) as http:
        last, said = await cut_off(gateway, http, "slow", seconds=0.6)
        rest = await taken_up(gateway, http, last)
        again = await taken_up(gateway, http, last)
    assert said[0]["method"] == "notifications/progress"
    assert [one["method"] for one in rest[:-1]] == ["notifications/progress"] * len(rest[:-1])
    assert rest[-1]["id"] == 7
    assert rest[-1]["result"]["content"][0]["text"] == "done"
    assert again == rest
    assert gateway.ran == ["slow begun", "slow done"]


async def test_c6_a_paused_call_that_was_cut_off_learns_of_the_decision(gateway):
    async with session(gateway) as http:
        last, said = await cut_off(gateway, http, "erase", table="orders")
        assert "consent" in said[0]["params"]["message"]
        resuming = asyncio.create_task(taken_up(gateway, http, last))
        await gateway.vote()
        rest = await resuming
    assert rest[-1]["result"]["content"][0]["text"] == "erased orders"
    assert gateway.ran == ["erase orders"]


async def test_nothing_is_said_twice_to_a_client_that_heard_it(gateway):
    async with session(gateway) as http:
        last, _ = await cut_off(gateway, http, "slow", seconds=0.3)
        whole = await taken_up(gateway, http, last.partition("-")[0] + "-0")
        rest = await taken_up(gateway, http, last)
    assert whole[1:] == rest


async def test_b14_somebody_elses_stream_is_not_there(gateway):
    other = await gateway.agent("other")
    async with session(gateway) as http, gateway.raw(other) as thief:
        last, _ = await cut_off(gateway, http, "slow", seconds=0.3)
        headers = {name: http.headers[name] for name in ("mcp-session-id", "mcp-protocol-version")}
        answer = await thief.get(gateway.url(), headers={**headers, "last-event-id": last})
        assert answer.status_code == 404


@pytest.mark.parametrize(("version", "primed"), [("2025-11-25", True), ("2025-06-18", False)])
async def test_streams_are_primed_where_clients_expect_it(gateway, version, primed):
    params = {"name": "slow", "arguments": {"seconds": 0.1}, "_meta": {"progressToken": "p"}}
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}
    async with session(gateway, version) as http:
        answer = await http.post(gateway.url(), json=body)
    assert ("-0\ndata: \n\n" in answer.text) is primed
    assert "-1\nevent: message\n" in answer.text


@pytest.mark.parametrize("event_id", ["", "-", "0", "0-", "-1", "x-1", "1-x", "99-1", "1-1-1", "9" * 40 + "-1", "²-1"])
def test_an_id_that_was_never_given_leads_nowhere(event_id):
    assert Streams().find(event_id) is None


def test_what_is_kept_is_bounded():
    streams = Streams()
    for _ in range(3 * KEPT_STREAMS):
        one = streams.begin()
        one.add(Notification("n", {"text": "x" * (KEPT_BYTES // 8)}))
        one.close()
    streams.begin()
    kept = list(streams._streams.values())
    assert sum(one.size for one in kept) <= KEPT_BYTES
    assert len(kept) <= KEPT_STREAMS + 1
    assert streams.find("0-0") == (streams.unasked, 0)
