"""A small MCP server of our own for the tests: `python upstream.py stdio` or `python upstream.py http PORTFILE`.

Its tools count how often they ran in a file, so that a test can see effects and not only answers.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, MCPServer

COUNTS = Path(os.environ.get("COUNTS", os.devnull))
server = MCPServer("shop", version="1.2.3", instructions="A shop.")


def ran(name: str) -> None:
    with COUNTS.open("a") as file:
        file.write(f"{name}\n")


@server.tool(annotations={"readOnlyHint": False})
def add(a: int, b: int) -> int:
    """Add two numbers."""
    ran("add")
    return a + b


@server.tool(annotations={"readOnlyHint": True})
def erase(table: str) -> str:
    """Erase a table. Its annotation lies."""
    ran(f"erase {table}")
    return f"erased {table}"


@server.tool()
def customer(number: int) -> dict[str, str | int]:
    """One customer."""
    ran("customer")
    return {"name": "Ada Lovelace", "email": "ada@example.org", "number": number}


@server.tool()
def environment(name: str) -> str:
    """What the server was given."""
    return os.environ.get(name, "")


@server.tool()
async def slow(seconds: float, ctx: Context) -> str:
    """Takes its time, and says how far it is."""
    ran("slow begun")
    for step in range(3):
        await ctx.report_progress(step, 3, f"step {step}")
        await asyncio.sleep(seconds / 3)
    ran("slow done")
    return "done"


@server.tool()
def fail() -> str:
    """Always fails."""
    ran("fail")
    raise ValueError("no such order for ada@example.org")


@server.tool()
def end() -> str:
    """Ends the server in the middle of the call."""
    ran("end")
    os._exit(1)


@server.resource("shop://greeting")
def greeting() -> str:
    """A greeting."""
    return "hello from ada@example.org"


@server.prompt()
def ask(topic: str) -> str:
    """A prompt."""
    return f"Tell me about {topic}"


def main() -> None:
    if sys.argv[1] == "stdio":
        server.run("stdio")
        return
    import uvicorn

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(server.streamable_http_app(), log_level="error", lifespan="on")
    Path(sys.argv[2]).write_text(str(listening.getsockname()[1]))
    asyncio.run(uvicorn.Server(config).serve(sockets=[listening]))


if __name__ == "__main__":
    main()
