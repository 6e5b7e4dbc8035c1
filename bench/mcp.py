"""What the MCP door costs: added latency of an allowed call, and calls per second beside a plain `fastmcp` proxy.

    CONSENTRY_PEERS_PYTHON=/tmp/peers/bin/python python bench/mcp.py

One server of the present revision that does nothing, in a process of its own; calls go to it directly, through the
door, and through the proxy, in turns within one run. Each call through the door is judged and recorded before it runs.

At L1 a call waits for the disk: the flush of one row to a database of its own is measured beside it, since no door that
records durably before the effect can add less. Memory is that of the server's process with many open streams.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
from aiohttp import web

PYTHON = os.environ.get("CONSENTRY_PEERS_PYTHON")
PROXY = Path(__file__).parent / "peers" / "fastmcp_proxy.py"
ROUNDS, CALLS, AT_ONCE, MANY = 5, 40, 16, 160
STREAMS = 100
POLICY = """
@id("bench") @reason("Allowed") {level}
permit (principal, action == Action::"mcp.tool.call", resource);
"""
ACCEPT = {"accept": "application/json, text/event-stream"}


def serve_nothing(port: int) -> None:
    """The server: one tool, no work, either era as far as the two sides need it."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.json()
        if "id" not in body:
            return web.Response(status=202)
        result: dict[str, object] = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        if body["method"] == "server/discover":
            result |= {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        elif body["method"] == "initialize":
            info = {"name": "nothing", "version": "1"}
            result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info}
        elif body["method"] == "tools/list":
            result |= {"tools": [{"name": "nothing", "inputSchema": {"type": "object"}}]}
        else:
            result = {"resultType": "complete", "content": [{"type": "text", "text": "done"}], "isError": False}
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], "result": result})

    async def no(request: web.Request) -> web.Response:
        return web.Response(status=405)

    app = web.Application()
    app.router.add_post("/mcp", handle)
    app.router.add_get("/mcp", no)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


class Target:
    """Where calls go, in the present revision."""

    def __init__(self, http: aiohttp.ClientSession, url: str, token: str | None = None) -> None:
        self._http = http
        self._url = url
        self._headers = ACCEPT | ({} if token is None else {"authorization": f"Bearer {token}"})
        self._number = 0

    async def call(self) -> None:
        self._number += 1
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"name": "nothing", "arguments": {"order": f"order {self._number}"}, "_meta": meta}
        headers = self._headers | {
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": "tools/call",
            "mcp-name": "nothing",
        }
        body = {"jsonrpc": "2.0", "id": self._number, "method": "tools/call", "params": params}
        async with self._http.post(self._url, json=body, headers=headers) as answer:
            text = await answer.text()
        if '"done"' not in text:
            raise SystemExit(f"the call failed: {text[:300]}")

    async def listen(self, number: int) -> aiohttp.ClientResponse:
        """An open stream."""
        method = "subscriptions/listen"
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {"notifications": {"toolsListChanged": True}, "_meta": meta}
        headers = self._headers | {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
        body = {"jsonrpc": "2.0", "id": f"stream-{number}", "method": method, "params": params}
        answer = await self._http.post(self._url, json=body, headers=headers)
        await answer.content.readline()
        return answer

    async def p50_ms(self) -> float:
        times = []
        for _ in range(CALLS):
            began = time.perf_counter()
            await self.call()
            times.append((time.perf_counter() - began) * 1000)
        return statistics.median(times)

    async def per_second(self) -> float:
        left = iter(range(MANY))

        async def work() -> None:
            for _ in left:
                await self.call()

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        return MANY / (time.perf_counter() - began)


def flush_p50_ms(folder: Path) -> float:
    """One row, committed and flushed to the disk, as the store sets its database up."""
    times = []
    with sqlite3.connect(folder / "bare.db", isolation_level=None) as bare:
        bare.execute("PRAGMA journal_mode=WAL")
        bare.execute("PRAGMA synchronous=FULL")
        bare.execute("CREATE TABLE IF NOT EXISTS t (a TEXT)")
        for _ in range(CALLS):
            began = time.perf_counter()
            bare.execute("INSERT INTO t VALUES ('x')")
            times.append((time.perf_counter() - began) * 1000)
    bare.close()
    return statistics.median(times)


def resident_mb(pid: int) -> float:
    """The memory of a process, in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def cpu_s(pid: int) -> float:
    """Processor time of a process: what a call costs on a machine that does other things, too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def streams_mb(target: Target, pid: int) -> float:
    """What open streams add to the server's memory, each with its first event read."""
    before = resident_mb(pid)
    answers = await asyncio.gather(*(target.listen(number) for number in range(STREAMS)))
    added = resident_mb(pid) - before
    for answer in answers:
        answer.close()
    return added


def start(*command: str) -> subprocess.Popen[str]:
    """A process beside this one."""
    return subprocess.Popen(command, text=True)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


async def reachable(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        except OSError:
            await asyncio.sleep(0.1)


def consentry(folder: Path, upstream: str, level: str) -> tuple[subprocess.Popen[str], str, str]:
    """`consentry up` with the server behind it: the process, the door's address, an agent's token."""
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "bench.cedar").write_text(POLICY.format(level=level))
    (folder / "consentry.toml").write_text(
        f'[policy]\ndir = "{folder / "policies"}"\n[log]\nlevel = "error"\n'
        f'[resources.nothing]\nkind = "mcp"\nupstream = "{upstream}"\n'
    )
    command = [sys.executable, "-m", "consentry", "up", "--no-browser", "--port", "0"]
    child = subprocess.Popen(
        [*command, "--data", str(folder / "data"), "--config", str(folder / "consentry.toml")],
        stdout=subprocess.PIPE,
        text=True,
    )
    url = link = ""
    assert child.stdout is not None
    for line in child.stdout:
        if found := re.search(r"Consentry is at\s+(http://\S+)", line):
            url = found.group(1)
        if found := re.search(r"#token=(\S+)", line):
            link = found.group(1)
            break
    from consentry.demo.people import Someone, sign_in

    with Someone(url, sign_in(url, link)) as admin:
        made = admin.post("/v1/agents", {"name": "bench", "owner": "admin@localhost"})
    return child, f"{url}/mcp/nothing", str(made["token"])


async def measure(folder: Path) -> dict[str, object]:
    port, proxy_port = free_port(), free_port()
    upstream = f"http://127.0.0.1:{port}/mcp"
    children: list[subprocess.Popen[str]] = [
        start(sys.executable, __file__, "serve", str(port)),
    ]
    await reachable(port)
    try:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            targets = {"direct": Target(http, upstream)}
            pids: dict[str, int] = {}
            for name, level in (("door L1", ""), ("door L0", '@level("L0")')):
                child, url, token = await asyncio.to_thread(consentry, folder / name.replace(" ", ""), upstream, level)
                children.append(child)
                targets[name], pids[name] = Target(http, url, token), child.pid
            if PYTHON is not None:
                children.append(start(PYTHON, str(PROXY), upstream, str(proxy_port)))
                await reachable(proxy_port)
                pids["fastmcp proxy"] = children[-1].pid
                targets["fastmcp proxy"] = Target(http, f"http://127.0.0.1:{proxy_port}/mcp")
            for target in targets.values():
                for _ in range(20):
                    await target.call()
            used = {name: cpu_s(pid) for name, pid in pids.items()}
            flush: list[float] = []
            p50: dict[str, list[float]] = {name: [] for name in targets}
            rate: dict[str, list[float]] = {name: [] for name in targets}
            for _ in range(ROUNDS):
                flush.append(await asyncio.to_thread(flush_p50_ms, folder))
                for name, target in targets.items():
                    p50[name].append(await target.p50_ms())
                for name, target in targets.items():
                    rate[name].append(await target.per_second())
            calls = ROUNDS * (CALLS + MANY)
            cpu = {name: (cpu_s(pid) - used[name]) * 1000 / calls for name, pid in pids.items()}
            streams = await streams_mb(targets["door L1"], children[1].pid)
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(15)
    return {
        "flush_p50_ms": round(statistics.median(flush), 2),
        "streams_mb": round(streams, 1),
        "cpu_ms_per_call": {name: round(value, 2) for name, value in cpu.items()},
        "p50_ms": {name: round(statistics.median(found), 2) for name, found in p50.items()},
        "calls_per_second": {name: round(statistics.median(found)) for name, found in rate.items()},
    }


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        serve_nothing(int(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder)))
    p50, rate = found["p50_ms"], found["calls_per_second"]
    assert isinstance(p50, dict)
    assert isinstance(rate, dict)
    added = {name: round(value - p50["direct"], 2) for name, value in p50.items() if name.startswith("door")}
    print(json.dumps({**found, "added_p50_ms": added}, indent=2))
    print(f"added p50: L1 {added['door L1']} ms, L0 {added['door L0']} ms (bound 3 ms)")
    print(f"of which the disk at L1: {found['flush_p50_ms']} ms")
    print(f"{STREAMS} open streams: {found['streams_mb']} MB (bound 64 MB)")
    if "fastmcp proxy" in rate:
        for name in ("door L1", "door L0"):
            print(f"{name}: {rate[name] / rate['fastmcp proxy']:.1f} x the calls/s of a fastmcp proxy (bound 2 x)")


if __name__ == "__main__":
    main()
