"""The public conformance suite against a server, directly and through the door: the table of docs/mcp.md.

Not a test of pytest's: `python tests/doors/mcp/conformance.py --suite "npx @modelcontextprotocol/conformance" --
COMMAND`, where COMMAND starts a server over Streamable HTTP on the port in `$PORT`, at `/mcp`. Exits 1 where a scenario
that passes directly does not pass through the door.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shlex
import socket
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientSession, ClientTimeout, web

from consentry.server.run import Options, serve
from consentry.server.settings import Settings

ALLOW = """
@id("conformance") @reason("Everything is allowed, so that the protocol alone is tested")
permit (principal, action in [Action::"mcp.tool.call", Action::"dataset.read", Action::"llm.prompt"], resource);
"""
LINE = re.compile(r"^[✓✗] (\S+): (\d+) passed, (\d+) failed", re.MULTILINE)


async def suite(command: str, url: str, folder: Path) -> dict[str, tuple[int, int]]:
    """Scenario to checks passed and failed."""
    child = await asyncio.create_subprocess_exec(
        *shlex.split(command), "server", "--url", url, "--suite", "all", "-o", str(folder),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await child.communicate()
    found = {name: (int(good), int(bad)) for name, good, bad in LINE.findall(out.decode())}
    if not found:
        raise SystemExit(f"the suite ran no scenario:\n{out.decode()[-2000:]}")
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def upstream(command: list[str]):
    """The server under test."""
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "PORT": str(port)}, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except OSError:
                if child.returncode is not None:
                    raise SystemExit("the server under test did not start") from None
                await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        if child.returncode is None:
            child.terminate()
            await child.wait()


@asynccontextmanager
async def door(folder: Path, url: str):
    """Consentry with the server behind it; answers the door's address and a token."""
    policies = folder / "policies"
    policies.mkdir()
    (policies / "all.cedar").write_text(ALLOW)
    values = {
        "server": {"port": 0},
        "log": {"level": "error", "format": "text"},
        "policy": {"dir": policies},
        "resources": {"everything": {"kind": "mcp", "upstream": url}},
        "data_dir": folder / "data",
    }
    ready: asyncio.Future = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(Settings.model_validate(values), Options(no_browser=True), ready=ready.set_result)
    )
    await asyncio.wait({serving, ready}, return_when=asyncio.FIRST_COMPLETED)
    services = ready.result()
    owner = await services.directory.invite(None, "mara@example.org")
    made = await services.directory.create_agent(None, "suite", owner.person)
    try:
        yield f"{services.origin}/mcp/everything", made.token
    finally:
        services.stop()
        await serving


@asynccontextmanager
async def relay(target: str, token: str):
    """The suite sends no token, so something in between adds one; nothing else is changed."""
    drop = {"content-length", "transfer-encoding", "connection", "host", "content-encoding"}

    async def forward(request: web.Request) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in drop}
        headers["Host"] = request.headers["Host"]  # the door must see what the suite says
        headers["Authorization"] = f"Bearer {token}"
        body = await request.read()
        async with http.request(request.method, target, data=body or None, headers=headers) as answer:
            reply = web.StreamResponse(status=answer.status)
            reply.headers.extend({name: value for name, value in answer.headers.items() if name.lower() not in drop})
            await reply.prepare(request)
            async for piece in answer.content.iter_any():
                await reply.write(piece)
            return reply

    app = web.Application()
    app.router.add_route("*", "/mcp", forward)
    runner = web.AppRunner(app, handler_cancellation=True, access_log=None)
    async with ClientSession(timeout=ClientTimeout(total=None)) as http:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        try:
            yield f"http://127.0.0.1:{port}/mcp"
        finally:
            await runner.cleanup()


async def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--suite", default="npx -y @modelcontextprotocol/conformance")
    parser.add_argument("--keep", type=Path, help="where the suite's own reports go")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    given = parser.parse_args()
    command = given.command[1:] if given.command[:1] == ["--"] else given.command
    with tempfile.TemporaryDirectory() as name:
        folder, keep = Path(name), given.keep or Path(name) / "out"
        async with upstream(command) as url:
            direct = await suite(given.suite, url, keep / "direct")
        async with upstream(command) as url, door(folder, url) as (target, token), relay(target, token) as front:
            through = await suite(given.suite, front, keep / "door")
    print("| scenario | directly | through the door |\n| --- | --- | --- |")
    worse = 0
    for scenario, (good, bad) in direct.items():
        ours = through.get(scenario, (0, 1))
        note = ""
        if bad == 0 and good and ours[1]:
            worse += 1
            note = " ← worse"
        print(f"| {scenario} | {good} of {good + bad} | {ours[0]} of {sum(ours)}{note} |")
    print(f"{sum(1 for g, b in direct.values() if g and not b)} pass directly, {worse} of them not through the door")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
