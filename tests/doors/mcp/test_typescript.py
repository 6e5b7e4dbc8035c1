"""The protocol's TypeScript SDKs in front of the door: the one of the sessions, and the one of the present revision."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parent / "typescript.mjs"
MODULES = Path(__file__).parents[3] / ".work" / "npm-mcp"
SPOKEN = {"sdk": "2025-11-25", "client": "2026-07-28"}


class Typed:
    """A client of the SDK, in a process of its own."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def said(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        return json.loads(await self._child.stdout.readline())

    async def call(self, tool: str, **arguments: object) -> dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps({"tool": tool, "arguments": arguments}).encode() + b"\n")
        return await self.said()


@pytest.fixture(params=list(SPOKEN))
def which(request: pytest.FixtureRequest) -> str:
    if not (MODULES / "node_modules" / "@modelcontextprotocol" / request.param).exists():
        pytest.skip("the TypeScript SDK could not be installed: see `.ci/tools`")
    return str(request.param)


@asynccontextmanager
async def typed(node: str, which: str, gateway: Any) -> AsyncIterator[Typed]:
    command = (node, str(SCRIPT), which, str(MODULES), gateway.url(), gateway.token)
    child = await asyncio.create_subprocess_exec(*command, stdin=-1, stdout=-1)
    try:
        yield Typed(child)
    finally:
        assert child.stdin is not None
        child.stdin.close()
        await child.wait()
    assert child.returncode == 0


async def test_a_gentle_tool_runs_at_once(node, which, gateway):
    async with typed(node, which, gateway) as client:
        greeting = await client.said()
        assert greeting["version"] == SPOKEN[which]
        assert {"add", "erase", "consentry_wait"} <= set(greeting["tools"])
        assert (await client.call("add", a=2, b=3))["structured"] == {"result": 5}
        assert "there is no tool" in (await client.call("nothing"))["text"]
    assert gateway.ran == ["add"]


async def test_a_paused_call_says_where_and_runs_once_people_consent(node, which, start, shop):
    shop = {**shop, "mcp": {**shop["mcp"], "hold": "60s", "beat": "1s"}}
    async with start({"shop": shop}) as gateway, typed(node, which, gateway) as client:
        await client.said()
        calling = asyncio.create_task(client.call("erase", table="orders"))
        request = await gateway.asked()
        await asyncio.sleep(0)
        await gateway.vote()
        result = await calling
        assert result["text"] == "erased orders"
        assert any(request.id in str(text) for text in result["progressed"])
        assert gateway.ran == ["erase orders"]


async def test_what_is_not_decided_in_time_is_waited_for_by_its_id(node, which, gateway):
    async with typed(node, which, gateway) as client:
        await client.said()
        assert "Paused" in (await client.call("erase", table="orders"))["text"]
        one = (await gateway.asked()).action_id
        await gateway.vote()
        assert (await client.call("consentry_wait", id=one))["text"] == "erased orders"
    assert gateway.ran == ["erase orders"]


async def test_b6_a_denial_is_told_with_its_reason(node, which, gateway):
    async with typed(node, which, gateway) as client:
        await client.said()
        calling = asyncio.create_task(client.call("erase", table="orders"))
        await gateway.vote("deny")
        assert "looked at it" in (await calling)["text"]
    assert gateway.ran == []
