"""Servers that are down, slow, cut off, or send nonsense: a clear error, and the outcome as what it was."""

from __future__ import annotations

import asyncio
import sys

import pytest


def recorded(url: str, **more) -> dict:
    return {"kind": "mcp", "upstream": url, "mcp": {"gentle": ["look"], "timeout": "2s", **more}}


LOST = ["nonsense", "another id", "status", "redirect", "slow", "cut", "lying"]


@pytest.mark.parametrize("behave", LOST)
async def test_an_answer_that_is_lost_leaves_the_outcome_unknown(start, recorder, behave, modern_request):
    async with start({"shop": recorded(recorder.url)}) as other:
        recorder.behave = behave
        headers, body = modern_request("tools/call", {"name": "look", "arguments": {}})
        async with other.raw() as http:
            answer = (await http.post(other.url(), json=body, headers=headers)).json()
        assert answer["error"]["code"] == 1001
        assert answer["error"]["data"]["code"] in ("upstream_broke", "upstream_slow")
        assert "upstream" in answer["error"]["message"]
        assert await other.outcomes() == [("look", "claimed")]
        other.clock.ahead_ms += 3_600_000
        assert await other.outcomes() == [("look", "unknown")]


async def test_an_error_of_the_server_is_a_failure(start, recorder, modern_request):
    async with start({"shop": recorded(recorder.url)}) as gateway:
        recorder.behave = "error"
        headers, body = modern_request("tools/call", {"name": "look", "arguments": {}})
        async with gateway.raw() as http:
            answer = (await http.post(gateway.url(), json=body, headers=headers)).json()
        assert answer["error"] == {"code": -32000, "message": "no order for ada@example.org"}
        assert await gateway.settled() == [("look", "failed")]


async def test_a_server_that_is_down_is_said_to_be(start, modern_request):
    async with start({"shop": recorded("http://127.0.0.1:9/mcp")}) as gateway:
        for method, params in (("tools/list", {}), ("tools/call", {"name": "look", "arguments": {}})):
            headers, body = modern_request(method, params)
            async with gateway.raw() as http:
                answer = (await http.post(gateway.url(), json=body, headers=headers)).json()
            assert (answer["error"]["code"], answer["error"]["data"]["code"]) == (1001, "upstream_down")
        assert await gateway.outcomes() == []


async def test_a_tool_that_fails_is_a_failure(gateway, ask):
    result = (await ask("tools/call", {"name": "fail", "arguments": {}}))["result"]
    assert result["isError"]
    assert await gateway.settled() == [("fail", "failed")]


async def test_a_server_that_ends_is_started_again(start, stdio_shop, modern_request):
    async def call(gateway, name, arguments):
        headers, body = modern_request("tools/call", {"name": name, "arguments": arguments})
        async with gateway.raw() as http:
            return (await http.post(gateway.url(), json=body, headers=headers)).json()

    async with start({"shop": stdio_shop}) as gateway:
        ended = await call(gateway, "end", {})
        assert ended["error"]["data"]["code"] == "upstream_broke"
        assert (await call(gateway, "add", {"a": 1, "b": 2}))["result"]["structuredContent"] == {"result": 3}
        assert [one for one in await gateway.outcomes() if one[0] == "end"] == [("end", "claimed")]


async def test_a_command_that_does_not_exist(start, modern_request):
    shop = {"kind": "mcp", "mcp": {"command": ["/does/not/exist"]}}
    async with start({"shop": shop}) as gateway:
        headers, body = modern_request("tools/list")
        async with gateway.raw() as http:
            answer = (await http.post(gateway.url(), json=body, headers=headers)).json()
        assert answer["error"]["data"]["code"] == "upstream_down"


async def test_a_server_that_writes_nonsense(start, tmp_path, modern_request):
    script = 'import sys\nprint("{not json", flush=True)\nsys.stdin.read()\n'
    shop = {"kind": "mcp", "mcp": {"command": [sys.executable, "-c", script]}}
    async with start({"shop": shop}) as gateway:
        headers, body = modern_request("tools/list")
        async with gateway.raw() as http:
            answer = (await http.post(gateway.url(), json=body, headers=headers)).json()
        assert answer["error"]["code"] == 1001


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_progress_of_the_server_reaches_the_client(gateway, mode):
    heard: list[str | None] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with gateway.client(mode) as client:
        result = await client.call_tool("slow", {"seconds": 0.3}, progress_callback=progress)
    assert result.content[0].text == "done"
    assert heard == ["step 0", "step 1", "step 2"]


async def test_leaving_an_allowed_call_ends_it_upstream(gateway):
    async with gateway.client("auto") as client:
        calling = asyncio.create_task(client.call_tool("slow", {"seconds": 30}))
        while "slow begun" not in gateway.ran:
            await asyncio.sleep(0.01)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    gateway.clock.ahead_ms += 3_600_000
    while await gateway.outcomes() != [("slow", "unknown")]:
        await asyncio.sleep(0.01)
    assert "slow done" not in gateway.ran
