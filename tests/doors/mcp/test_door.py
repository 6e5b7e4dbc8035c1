"""The door end to end: real clients of either era, real servers over either pipe, people in between."""

from __future__ import annotations

import asyncio

import pytest

ERAS = ["auto", "legacy"]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_gentle_tool_runs_at_once(gateway, mode):
    async with gateway.client(mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {"add", "erase", "consentry_wait", "consentry_cancel"} <= set(names)
        assert (await client.call_tool("add", {"a": 2, "b": 3})).structured_content == {"result": 5}
        assert (await client.read_resource("shop://greeting")).contents[0].text.startswith("hello")
        assert "otters" in (await client.get_prompt("ask", {"topic": "otters"})).messages[0].content.text
    assert gateway.ran == ["add"]
    assert await gateway.settled(2) == [("add", "succeeded"), ("dataset.read", "succeeded")]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_paused_call_runs_once_people_consent(gateway, mode):
    async with gateway.client(mode) as client:
        calling = asyncio.create_task(client.call_tool("erase", {"table": "orders"}))
        await gateway.vote()
        result = await calling
    assert result.content[0].text == "erased orders"
    assert gateway.ran == ["erase orders"]
    assert await gateway.settled() == [("erase", "succeeded")]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_local_server_over_stdio(start, stdio_shop, mode):
    async with start({"shop": stdio_shop}) as gateway, gateway.client(mode) as client:
        assert (await client.call_tool("add", {"a": 2, "b": 3})).structured_content == {"result": 5}
        calling = asyncio.create_task(client.call_tool("erase", {"table": "orders"}))
        await gateway.vote()
        assert (await calling).content[0].text == "erased orders"
