"""`consentry door mcp` as a desktop client starts it: standard input and output, either era."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from mcp.client.client import Client

from mcp import StdioServerParameters

ERAS = ["auto", "legacy"]
UPSTREAM = Path(__file__).parent / "upstream.py"


def started(arguments: list[str], **environment: str) -> StdioServerParameters:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    return StdioServerParameters(
        command=sys.executable, args=["-m", "consentry", "door", "mcp", *arguments], env={**plain, **environment}
    )


@pytest.mark.parametrize("mode", ERAS)
async def test_a_resource_of_the_server(gateway, mode):
    door = started(["--resource", "shop"], CONSENTRY_URL=gateway.services.origin, CONSENTRY_TOKEN=gateway.token)
    async with Client(door, mode=mode) as client:
        assert (await client.call_tool("add", {"a": 2, "b": 3})).structured_content == {"result": 5}
        calling = asyncio.create_task(client.call_tool("erase", {"table": "orders"}))
        await gateway.vote()
        assert (await calling).content[0].text == "erased orders"
    assert gateway.ran == ["add", "erase orders"]


async def test_a_local_server_before_a_gate_elsewhere(gateway, tmp_path):
    counts = tmp_path / "own"
    door = started(
        ["--resource", "mine", "--", sys.executable, str(UPSTREAM), "stdio"],
        CONSENTRY_URL=gateway.services.origin,
        CONSENTRY_TOKEN=gateway.token,
        COUNTS=str(counts),
    )
    async with Client(door, mode="auto") as client:
        assert (await client.call_tool("environment", {"name": "CONSENTRY_TOKEN"})).content[0].text
        request = await gateway.asked()
        assert (request.action.operation, request.action.resource) == ("mcp.tool.call", "mine")
        await gateway.vote()
        result = await client.call_tool("environment", {"name": "CONSENTRY_TOKEN"})
        assert result.content[0].text == ""


async def test_a_local_server_without_any_gate(tmp_path):
    door = started(["--data", str(tmp_path / "data"), "--", sys.executable, str(UPSTREAM), "stdio"])
    async with Client(door, mode="auto") as client:
        assert "add" in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("erase", {"table": "orders"})
    assert result.is_error
    assert "nobody" in result.content[0].text.lower() or "invite" in result.content[0].text.lower()


@pytest.mark.parametrize("kind", ["file", "null"])
async def test_what_is_no_pipe_is_read_to_its_end(gateway, tmp_path, kind):
    source = tmp_path / "empty"
    source.touch()
    arguments = started(["--resource", "shop"], CONSENTRY_URL=gateway.services.origin, CONSENTRY_TOKEN=gateway.token)
    stdin = os.open(os.devnull if kind == "null" else source, os.O_RDONLY)
    try:
        door = await asyncio.create_subprocess_exec(
            arguments.command, *arguments.args, env=arguments.env, stdin=stdin,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, complained = await asyncio.wait_for(door.communicate(), 60)
    finally:
        os.close(stdin)
    assert (door.returncode, said, complained) == (0, b"", b"")


async def test_a_resource_that_there_is_not_is_told_at_the_start(gateway):
    code, said, complained = await ended(
        started(["--resource", "nosuch"], CONSENTRY_URL=gateway.services.origin, CONSENTRY_TOKEN=gateway.token)
    )
    assert (code, said) == (2, b"")
    assert b"no MCP resource `nosuch`" in complained
    assert b"consentry doctor" in complained


@pytest.mark.parametrize("arguments", [["--resource", "shop"], ["--", sys.executable, str(UPSTREAM), "stdio"]])
async def test_a_token_that_does_not_hold_is_told_at_the_start(gateway, arguments):
    code, said, complained = await ended(
        started(arguments, CONSENTRY_URL=gateway.services.origin, CONSENTRY_TOKEN="ag_nobody")
    )
    assert (code, said) == (1, b"")
    assert b"token" in complained
    assert b"ag_nobody" not in complained


async def ended(door: StdioServerParameters) -> tuple[int | None, bytes, bytes]:
    """The exit code of a door whose client is not there, and what it said on both ways out."""
    child = await asyncio.create_subprocess_exec(
        door.command, *door.args, env=door.env, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, complained = await asyncio.wait_for(child.communicate(), 60)
    return child.returncode, said, complained
