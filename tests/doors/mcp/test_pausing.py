"""Waiting ten minutes for people on each rung of the ladder, restarts in between, and coming back."""

from __future__ import annotations

import asyncio

import pytest

TASKS = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
LINKS = {"elicitation": {"form": {}, "url": {}}}
TEN_MINUTES = 600_000
ERASE = {"name": "erase", "arguments": {"table": "orders"}}


def said(result: dict) -> str:
    return result["content"][0]["text"]


async def decide_later(gateway) -> None:
    """Ten minutes pass, then somebody consents."""
    await gateway.asked()
    gateway.clock.ahead_ms += TEN_MINUTES
    await gateway.vote()


async def test_c6_a_task_waits_ten_minutes_and_runs(gateway, ask):
    made = (await ask("tools/call", ERASE, capabilities=TASKS))["result"]
    assert (made["resultType"], made["status"]) == ("task", "working")
    assert gateway.url().rpartition("/mcp")[0] in made["statusMessage"]
    await decide_later(gateway)
    task = {"taskId": made["taskId"]}
    while (state := (await ask("tasks/get", task, capabilities=TASKS))["result"])["status"] == "working":
        await asyncio.sleep(0.01)
    assert state["status"] == "completed"
    assert said(state["result"]) == "erased orders"
    again = (await ask("tasks/get", task, capabilities=TASKS))["result"]
    assert said(again["result"]) == "erased orders"
    assert gateway.ran == ["erase orders"]


async def test_c6_a_link_is_shown_and_the_call_runs(gateway, ask):
    first = (await ask("tools/call", ERASE, capabilities=LINKS))["result"]
    assert first["resultType"] == "input_required"
    consent = first["inputRequests"]["consent"]
    request = await gateway.asked()
    assert consent["params"]["mode"] == "url"
    assert consent["params"]["url"].endswith(f"/requests/{request.id}")
    await decide_later(gateway)
    retry = {**ERASE, "requestState": first["requestState"], "inputResponses": {"consent": {"action": "accept"}}}
    result = (await ask("tools/call", retry, capabilities=LINKS))["result"]
    assert said(result) == "erased orders"
    assert gateway.ran == ["erase orders"]


@pytest.mark.parametrize("answer", ["accept", "decline"])
async def test_a9_what_the_client_answers_decides_nothing(gateway, ask, answer):
    first = (await ask("tools/call", ERASE, capabilities=LINKS))["result"]
    retry = {**ERASE, "requestState": first["requestState"], "inputResponses": {"consent": {"action": answer}}}
    again = (await ask("tools/call", retry, capabilities=LINKS))["result"]
    assert again["resultType"] == "input_required"
    assert gateway.ran == []
    assert len(await gateway.pending()) == 1


async def test_c6_progress_is_reported_while_the_answer_is_held(start, shop, modern_request):
    shop["mcp"] |= {"hold": "60s"}
    async with start({"shop": shop}) as gateway, gateway.client("auto") as client:
        heard: list[str] = []

        async def progress(done: float, total: float | None, message: str | None) -> None:
            heard.append(message or "")

        calling = asyncio.create_task(client.call_tool("erase", {"table": "orders"}, progress_callback=progress))
        await decide_later(gateway)
        assert (await calling).content[0].text == "erased orders"
    assert any("/requests/" in one for one in heard)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_c6_a_pending_result_and_the_wait_tool(gateway, mode):
    async with gateway.client(mode) as client:
        paused = await client.call_tool("erase", {"table": "orders"})
        about = paused.meta["io.consentry/pending"]
        assert about["state"] == "pending"
        assert about["url"] in paused.content[0].text
        assert (await client.call_tool("consentry_wait", {"id": about["id"]})).meta["io.consentry/pending"]
        await decide_later(gateway)
        done = await client.call_tool("consentry_wait", {"id": about["id"]})
    assert done.content[0].text == "erased orders"
    assert gateway.ran == ["erase orders"]


async def test_an_identical_repeat_attaches_and_runs_once(start, shop):
    shop = {**shop, "mcp": {**shop["mcp"], "hold": "60s"}}
    async with start({"shop": shop}) as gateway, gateway.client("auto") as one, gateway.client("legacy") as other:
        calls = [asyncio.create_task(client.call_tool("erase", {"table": "orders"})) for client in (one, other, one)]
        await gateway.asked()
        while len((await gateway.asked()).action_ids) < 3:
            await asyncio.sleep(0.01)
        await gateway.vote()
        results = await asyncio.gather(*calls)
        assert {result.content[0].text for result in results} == {"erased orders"}
        assert gateway.ran == ["erase orders"]


async def test_a_denial_is_a_result_with_the_reasons(gateway):
    async with gateway.client("auto") as client:
        calling = asyncio.create_task(client.call_tool("erase", {"table": "orders"}))
        await gateway.vote("deny")
        result = await calling
    assert result.is_error
    assert "denied" in result.content[0].text
    assert "looked at it" in result.content[0].text
    assert gateway.ran == []


async def test_silence_denies(gateway):
    async with gateway.client("auto") as client:
        paused = await client.call_tool("erase", {"table": "orders"})
        gateway.clock.ahead_ms += 3_600_000
        result = await client.call_tool("consentry_wait", {"id": paused.meta["io.consentry/pending"]["id"]})
    assert result.is_error
    assert "Time ran out" in result.content[0].text
    assert gateway.ran == []


async def test_cancel_withdraws_and_a_disconnect_does_not(gateway, ask):
    async with gateway.client("auto") as client:
        calling = asyncio.create_task(client.call_tool("erase", {"table": "orders"}))
        await gateway.asked()
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    request = await gateway.asked()
    assert request.state.value == "pending"
    async with gateway.client("auto") as client:
        cancelled = await client.call_tool("consentry_cancel", {"id": request.action_id})
    assert not cancelled.is_error
    assert await gateway.pending() == []
    assert gateway.ran == []


async def test_cancelling_a_task_withdraws_it(gateway, ask):
    made = (await ask("tools/call", ERASE, capabilities=TASKS))["result"]
    assert "error" not in await ask("tasks/cancel", {"taskId": made["taskId"]}, capabilities=TASKS)
    state = (await ask("tasks/get", {"taskId": made["taskId"]}, capabilities=TASKS))["result"]
    assert state["status"] == "cancelled"


async def test_b14_nobody_waits_on_or_cancels_anothers_call(gateway, ask):
    made = (await ask("tools/call", ERASE, capabilities=TASKS))["result"]
    other = await gateway.agent("other")
    for method in ("tasks/get", "tasks/cancel"):
        answer = await ask(method, {"taskId": made["taskId"]}, capabilities=TASKS, token=other)
        assert answer["error"]["code"] == -32602
    for tool in ("consentry_wait", "consentry_cancel"):
        call = {"name": tool, "arguments": {"id": made["taskId"]}}
        assert (await ask("tools/call", call, token=other))["result"]["isError"]
    assert len(await gateway.pending()) == 1


RUNGS = ["task", "link", "wait", "repeat"]


@pytest.mark.parametrize("rung", RUNGS)
async def test_c6_a_restart_in_the_middle_loses_nothing(start, shop, modern_request, clock, rung):
    """Asked before, decided by people while the server restarts, performed afterwards, once."""
    capabilities = {"task": TASKS, "link": LINKS}.get(rung, {})

    async def send(gateway, method, params):
        headers, body = modern_request(method, params, capabilities=capabilities)
        async with gateway.raw() as http:
            return (await http.post(gateway.url(), json=body, headers=headers)).json()["result"]

    async with start({"shop": shop}) as gateway:
        first = await send(gateway, "tools/call", ERASE)
        await gateway.asked()
    clock.ahead_ms += TEN_MINUTES
    async with start({"shop": shop}) as gateway:
        await gateway.vote()
        if rung == "task":
            task = {"taskId": first["taskId"]}
            while (state := await send(gateway, "tasks/get", task))["status"] == "working":
                await asyncio.sleep(0.01)
            result = state["result"]
        elif rung == "link":
            result = await send(gateway, "tools/call", {**ERASE, "requestState": first["requestState"]})
        elif rung == "wait":
            about = first["_meta"]["io.consentry/pending"]["id"]
            result = await send(gateway, "tools/call", {"name": "consentry_wait", "arguments": {"id": about}})
        else:
            result = await send(gateway, "tools/call", ERASE)
        assert said(result) == "erased orders"
        assert gateway.ran == ["erase orders"]
