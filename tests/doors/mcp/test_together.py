"""Several servers behind one address: names with prefixes, each call judged on the resource that it is about."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from consentry.server.mcp import several
from consentry.server.settings import InvalidSettings, Settings

ERAS = ["auto", "legacy"]


@pytest.fixture
async def gateway(start, shop, recorder) -> AsyncIterator:
    resources = {
        "shop": shop,
        "depot": {"kind": "mcp", "upstream": recorder.url, "mcp": {"gentle": ["look"], "hold": "1s", "beat": "1s"}},
        "all": {"kind": "mcp", "mcp": {"servers": ["shop", "depot"]}},
    }
    async with start(resources) as one:
        yield one


@pytest.mark.parametrize("mode", ERAS)
async def test_each_name_leads_to_its_server(gateway, mode):
    async with gateway.client(mode, resource="all") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert {"shop_add", "shop_erase", "depot_look"} < set(names)
        assert names.count("consentry_wait") == names.count("consentry_cancel") == 1
        assert (await client.call_tool("shop_add", {"a": 2, "b": 3})).structured_content == {"result": 5}
        assert (await client.call_tool("depot_look", {})).content[0].text == "seen"
        uris = [str(one.uri) for one in (await client.list_resources()).resources]
        assert uris == ["shop+shop://greeting"]
        read = (await client.read_resource(uris[0])).contents[0]
        assert (str(read.uri), read.text[:5]) == (uris[0], "hello")
        assert [one.name for one in (await client.list_prompts()).prompts] == ["shop_ask"]
        assert "otters" in (await client.get_prompt("shop_ask", {"topic": "otters"})).messages[0].content.text
    assert gateway.ran == ["add"]
    assert await gateway.settled(3) == [("add", "succeeded"), ("look", "succeeded"), ("dataset.read", "succeeded")]


async def test_the_action_is_about_the_member(gateway):
    async with gateway.client(resource="all") as client:
        calling = asyncio.create_task(client.call_tool("shop_erase", {"table": "orders"}))
        action = (await gateway.asked()).action
        await gateway.vote()
        assert (await calling).content[0].text == "erased orders"
    assert (action.resource, action.arguments["tool"]) == ("shop", "erase")


@pytest.mark.parametrize("mode", ERAS)
async def test_a_paused_call_is_waited_for_and_cancelled_by_its_id(gateway, mode):
    async with gateway.client(mode, resource="all") as client:
        paused = await client.call_tool("shop_erase", {"table": "orders"})
        assert "Paused" in paused.content[0].text
        one = (await gateway.asked()).action_id
        await gateway.vote()
        done = await client.call_tool("consentry_wait", {"id": one})
        assert done.content[0].text == "erased orders"
        again = await client.call_tool("shop_erase", {"table": "users"})
        other = (await gateway.asked()).action_id
        assert other in again.content[0].text
        assert "withdrawn" in (await client.call_tool("consentry_cancel", {"id": other})).content[0].text
    assert gateway.ran == ["erase orders"]


@pytest.mark.parametrize("name", ["add", "nobody_add", "shop", "depot_add", "shop_nothing", "shop_depot_look"])
async def test_a_name_of_nobody_runs_nothing(gateway, ask, name):
    said = await ask("tools/call", {"name": name, "arguments": {"a": 1, "b": 2}}, resource="all")
    assert name.removeprefix("shop_") in str(said.get("error") or said["result"]["content"])
    assert gateway.ran == []
    assert await gateway.outcomes() == []


async def test_b14_an_address_of_nobody_is_refused(gateway):
    async with gateway.client(resource="all") as client:
        for uri in ("shop://greeting", "nobody+shop://greeting", "all+shop://greeting"):
            with pytest.raises(Exception, match="no server here"):
                await client.read_resource(uri)
    assert await gateway.outcomes() == []


async def test_a_server_that_is_away_takes_only_its_own_tools_along(start, shop):
    resources = {
        "shop": shop,
        "away": {"kind": "mcp", "upstream": "http://127.0.0.1:9/mcp"},
        "all": {"kind": "mcp", "mcp": {"servers": ["shop", "away"]}},
    }
    async with start(resources) as gateway, gateway.client(resource="all") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert "shop_add" in names
        assert (await client.call_tool("shop_add", {"a": 2, "b": 3})).structured_content == {"result": 5}


@pytest.mark.parametrize(
    ("all_of", "said"),
    [
        ({"servers": ["nobody"]}, "nobody"),
        ({"servers": ["all"]}, "all"),
        ({"servers": ["db"]}, "db"),
        ({"servers": ["shop"], "command": ["x"]}, "neither"),
        ({"servers": ["sh.op"]}, "sh.op"),
    ],
)
def test_settings_that_cannot_work_are_refused(all_of, said):
    resources = {
        "shop": {"kind": "mcp", "upstream": "http://127.0.0.1:9/mcp"},
        "sh.op": {"kind": "mcp", "upstream": "http://127.0.0.1:9/mcp"},
        "db": {"kind": "postgres"},
        "all": {"kind": "mcp", "mcp": all_of},
    }
    settings = Settings.model_validate({"resources": resources})
    with pytest.raises(InvalidSettings, match=said):
        several("all", settings.resources["all"], settings)
