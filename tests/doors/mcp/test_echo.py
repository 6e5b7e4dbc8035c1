"""Invariant 11: what the gate gave to a server does not reach the client when the server repeats it."""

from __future__ import annotations

import pytest
from aiohttp import web

KEY = "sk-proj-aB3+xFgh/z9=0123456789"
POLICY = '@id("all") @reason("All") permit (principal, action == Action::"mcp.tool.call", resource);'


@pytest.fixture
def policies(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "all.cedar").write_text(POLICY)
    return {"dir": tmp_path / "policies"}


@pytest.fixture
def shop(recorder, monkeypatch):
    monkeypatch.setenv("API_KEY", f"Bearer {KEY}")
    return {"kind": "mcp", "upstream": recorder.url, "mcp": {"headers": {"Authorization": "env:API_KEY"}}}


async def repeated(request: web.Request, body: dict, kind: str) -> web.StreamResponse:
    given = request.headers["authorization"]
    result: dict = {"result": {"resultType": "complete", "content": [{"type": "text", "text": f"got {given}"}]}}
    if kind == "error":
        result = {"error": {"code": -32000, "message": f"got {given}", "data": {"authorization": given}}}
    message = {"jsonrpc": "2.0", "id": body["id"], **result}
    if kind != "stream":
        return web.json_response(message)
    stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await stream.prepare(request)
    await stream.write(b"data: " + web.json_response(message).body + b"\n\n")
    return stream


@pytest.mark.parametrize("kind", ["result", "error", "stream"])
async def test_a_header_that_comes_back_is_covered(start, shop, recorder, policies, modern_request, monkeypatch, kind):
    async def badly(request: web.Request, body: dict) -> web.StreamResponse:
        return await repeated(request, body, kind)

    monkeypatch.setattr(recorder, "_badly", badly)
    async with start({"shop": shop}, policy=policies) as gateway, gateway.raw() as http:
        headers, body = modern_request("tools/call", {"name": "look", "arguments": {}})
        recorder.behave = "repeat"
        answer = await http.post(gateway.url(), json=body, headers=headers)
    assert recorder.headers[-1]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in answer.text
    assert f"got Bearer {'*' * len(KEY)}" in answer.text


async def test_a_variable_that_comes_back_is_covered(start, stdio_shop, policies, monkeypatch, counts):
    monkeypatch.setenv("API_KEY", KEY)
    env = {**stdio_shop["mcp"]["env"], "SHOP_API_KEY": "env:API_KEY"}
    shop = {**stdio_shop, "mcp": {**stdio_shop["mcp"], "env": env}}
    async with start({"shop": shop}, policy=policies) as gateway, gateway.client("auto") as client:
        found = await client.call_tool("environment", {"name": "SHOP_API_KEY"})
        other = await client.call_tool("environment", {"name": "COUNTS"})
    assert found.content[0].text == "*" * len(KEY)
    assert other.content[0].text == str(counts)
