"""Record how an agent's destructive call is paused, denied, asked again narrower, approved, and run.

    python tools/transcript.py > docs/transcript.md

A real server, an MCP server with a real file behind it, the protocol's own client in front, and people over the API.
Ids, addresses and times are written as names, so that the record changes only where behaviour does.
"""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from consentry.demo.people import Someone, sign_in

HEAD = """# A paused call, from both sides

Recorded by `python tools/transcript.py` from a running server: an agent with the protocol's own client, a server with
a real database of orders behind the door, and a person who decides. Ids and addresses are replaced by names.
"""
SERVER = '''
import sqlite3, sys
from mcp.server.mcpserver import MCPServer

server = MCPServer("orders")
db = sqlite3.connect(sys.argv[1], isolation_level=None, check_same_thread=False)

@server.tool()
def count_orders(status: str) -> int:
    """How many orders have this status."""
    return db.execute("select count(*) from orders where status = ?", (status,)).fetchone()[0]

@server.tool()
def delete_orders(status: str, older_than_days: int) -> str:
    """Delete orders."""
    done = db.execute("delete from orders where status = ? and age > ?", (status, older_than_days))
    return f"deleted {done.rowcount} orders"

server.run("stdio")
'''
SETTINGS = """
[log]
level = "error"
[resources.orders]
kind = "mcp"
[resources.orders.mcp]
command = [{python}, {server}, {database}]
gentle = ["count_orders"]
hold = "1s"
beat = "1s"
"""


class Record:
    """What was said, with what changes from run to run replaced."""

    def __init__(self) -> None:
        self._lines = [HEAD]
        self._names: dict[str, str] = {}

    def note(self, text: str) -> None:
        self._lines.append(f"{text}\n")

    def said(self, who: str, value: object) -> None:
        text = value if isinstance(value, str) else json.dumps(value, indent=2)
        self._lines.append(f"**{who}**\n\n```text\n{self._named(text)}\n```\n")

    def _named(self, text: str) -> str:
        text = re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:7272", text)
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME", text)
        for found in re.findall(r"\b(?:act|req|agt)_[0-9a-f]{32}\b|\b[0-9a-f]{64}\b", text):
            kind = {"act": "ACTION", "req": "REQUEST", "agt": "AGENT"}.get(found[:3], "DIGEST")
            count = sum(name.startswith(kind) for name in self._names.values())
            self._names.setdefault(found, f"{kind}_{count + 1}")
        for found, name in self._names.items():
            text = text.replace(found, name)
        return text

    def text(self) -> str:
        return "\n".join(self._lines)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[str, str]]:
    """`consentry up` with the orders behind it: its address and the first link's token."""
    database, server = folder / "orders.db", folder / "server.py"
    with sqlite3.connect(database) as db:
        db.execute("create table orders (status text, age integer)")
        db.executemany("insert into orders values (?, ?)", [("cancelled", age) for age in range(1, 101)])
    db.close()
    server.write_text(SERVER)
    named = {"python": json.dumps(sys.executable), "server": json.dumps(str(server))}
    (folder / "consentry.toml").write_text(SETTINGS.format(**named, database=json.dumps(str(database))))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "consentry", "up", "--no-browser", "--port", "0"),
        *("--data", str(folder / "data"), "--config", str(folder / "consentry.toml")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    url = ""
    async for line in child.stdout:
        if found := re.search(rb"Consentry is at\s+(http://\S+)", line):
            url = found.group(1).decode()
        if found := re.search(rb"#token=(\S+)", line):
            break
    try:
        yield url, found.group(1).decode() if found else ""
    finally:
        child.terminate()
        await child.communicate()


@asynccontextmanager
async def agent(url: str, token: str) -> AsyncIterator[Any]:
    """The agent's client."""
    from mcp.client.client import Client
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(f"{url}/mcp/orders", http_client=http)) as one,
    ):
        yield one


def decide(url: str, session: str, verdict: str, reason: str) -> str:
    """A person looks at the pending request and votes; what they saw."""
    with Someone(url, session) as person:
        (request,) = person.get("/v1/requests?state=pending")["items"]  # type: ignore[misc]
        seen = person.get(f"/v1/requests/{request['id']}")  # type: ignore[index, call-overload]
        person.vote(str(request["id"]), verdict, reason)  # type: ignore[index, call-overload]
    preview = seen["preview"]
    return str(preview["text"] if isinstance(preview, dict) else preview)


async def record(folder: Path) -> str:
    """The whole story."""
    told = Record()
    async with running(folder) as (url, link):
        session = await asyncio.to_thread(sign_in, url, link)
        with Someone(url, session) as admin:
            owner = admin.invite("mara@example.org", "Mara")
            token = str(admin.post("/v1/agents", {"name": "tidy", "owner": "mara@example.org"})["id"])
        with Someone(url, await asyncio.to_thread(sign_in, url, owner.token)) as mara:
            token = str(mara.post(f"/v1/agents/{token}/rotate", {})["token"])
        async with agent(url, token) as client:

            async def call(tool: str, **arguments: object) -> str:
                told.said("Agent calls", {"tool": tool, "arguments": arguments})
                result = await client.call_tool(tool, arguments)
                text = str(result.content[0].text)
                told.said("Agent is told", text)
                return text

            async def person(verdict: str, reason: str) -> None:
                told.said("A person sees", await asyncio.to_thread(decide, url, session, verdict, reason))
                told.said("and decides", f"{verdict}: {reason}")

            async def go_on(text: str) -> None:
                found = re.search(r"\bact_[0-9a-f]{32}\b", text)
                assert found is not None, text
                await call("consentry_wait", id=found.group())

            told.note("## What destroys nothing runs at once")
            await call("count_orders", status="cancelled")
            told.note("## What destroys is paused, and denied")
            paused = await call("delete_orders", status="cancelled", older_than_days=0)
            await person("deny", "Those of the last 30 days are still refunded. Ask for older ones.")
            await go_on(paused)
            told.note("## Asked again narrower: another action, asked anew")
            paused = await call("delete_orders", status="cancelled", older_than_days=30)
            await person("approve", "Older than 30 days is fine.")
            await go_on(paused)
            told.note("## It ran once")
            await go_on(paused)
            await call("count_orders", status="cancelled")
    return told.text()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(asyncio.run(record(Path(folder))))


if __name__ == "__main__":
    main()
