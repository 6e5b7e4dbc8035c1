"""What the HTTP door costs, beside a bare aiohttp proxy and mitmdump, in one run.

    CONSENTRY_MITMDUMP=/tmp/peers/bin/mitmdump python bench/http_door.py

One upstream that does nothing, in a process of its own. Requests per second through each proxy in turns, with every
request of the door judged and recorded; the first event of a stream; how late masked words come; and what 64 MB bodies
and 100 slow streams add to the memory of a door that was idle.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

sys.path.insert(0, str(Path(__file__).parent))
from mcp import free_port, reachable, start

MITMDUMP = os.environ.get("CONSENTRY_MITMDUMP")
BARE = Path(__file__).parent / "peers" / "bare_http_proxy.py"
ROUNDS, AT_ONCE, MANY = 5, 16, 2000
BIG = 64 << 20
STREAMS = 100
WORDS = [f" word{'s' * (number % 3)}" for number in range(40)]
POLICY = """
@id("bench") @reason("Allowed") {level} {mask}
permit (principal, action == Action::"http.request", resource);
"""


def serve_nothing(port: int) -> None:
    """The upstream: a small answer, a stream of words with the time in each, and as many bytes as wanted."""
    block = b"x" * 65536

    async def small(request: web.Request) -> web.Response:
        if request.body_exists:
            async for _ in request.content.iter_any():
                pass
        return web.Response(body=b'{"ok":true,"items":[1,2,3]}', content_type="application/json")

    async def words(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        for word in WORDS[: int(request.query.get("count", len(WORDS)))]:
            await answer.write(b"data: " + json.dumps({"at": time.monotonic(), "text": word}).encode() + b"\n\n")
            await asyncio.sleep(0.02)
        return answer

    async def much(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        answer.content_length = BIG
        await answer.prepare(request)
        with contextlib.suppress(ConnectionError):  # slow readers leave before the end
            for _ in range(BIG // len(block)):
                await answer.write(block)
        return answer

    app = web.Application(client_max_size=1 << 30)
    app.router.add_get("/words", words)
    app.router.add_get("/much", much)
    app.router.add_route("*", "/{path:.*}", small)
    web.run_app(app, host="127.0.0.1", port=port, print=None, access_log=None)


class Target:
    """Where requests go; `pid` is the process whose processor time is counted."""

    def __init__(self, url: str, pid: int, token: str | None = None) -> None:
        parts = urlsplit(url)
        self.url, self.host, self.port, self.pid = url, parts.hostname or "", parts.port or 80, pid
        self.headers = {} if token is None else {"authorization": f"Bearer {token}"}

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self) -> int:
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())
        assert found is not None
        return int(found[1]) << 10

    async def burst(self) -> tuple[float, float]:
        """Requests per second over connections that are kept, and microseconds of processor time a request."""
        left, head = iter(range(MANY)), "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())

        async def work() -> None:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            for number in left:
                writer.write(
                    f"GET /api/v1/orders/{number % 500} HTTP/1.1\r\nhost: bench\r\naccept: */*\r\n{head}\r\n".encode()
                )
                found = await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"content-length: (\d+)", found, re.IGNORECASE)
                if not found.startswith(b"HTTP/1.1 200") or length is None:
                    raise SystemExit(f"the request failed: {found[:300]!r}")
                await reader.readexactly(int(length[1]))
            writer.close()

        cpu, began = self.cpu_s(), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        rate = MANY / (time.perf_counter() - began)
        await asyncio.sleep(0.4)  # what is written behind the answers counts as well
        return rate, (self.cpu_s() - cpu) / MANY * 1e6

    async def first_event_ms(self, http: aiohttp.ClientSession) -> float:
        began = time.perf_counter()
        async with http.get(f"{self.url}/words?count=1", headers=self.headers) as answer:
            await answer.content.readuntil(b"\n\n")
            return (time.perf_counter() - began) * 1000

    async def lag(self, http: aiohttp.ClientSession) -> tuple[float, int]:
        """How late an event is, in ms (median), and how many words the text is behind at most."""
        late, behind, sent, seen = [], 0, "", ""
        async with http.get(f"{self.url}/words", headers=self.headers) as answer:
            for word in [*WORDS, ""]:
                event = await answer.content.readuntil(b"\n\n")
                value = json.loads(event[6:])
                if word:
                    late.append((time.monotonic() - value["at"]) * 1000)
                sent, seen = sent + word, seen + value["text"]
                if not sent.startswith(seen):
                    raise SystemExit("the text was changed")
                behind = max(behind, len(sent.split()) - len(seen.split()))
                if len(seen) == sum(map(len, WORDS)):
                    break
        return statistics.median(late), behind


def consentry(folder: Path, upstream: str, level: str, mask: str = "") -> tuple[subprocess.Popen[str], Target]:
    """`consentry up` with a listener in front of the upstream."""
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "bench.cedar").write_text(POLICY.format(level=level, mask=mask))
    (folder / "consentry.toml").write_text(
        f'[policy]\ndir = "{folder / "policies"}"\n[log]\nlevel = "error"\n[resources.nothing]\nkind = "http"\n'
        f'upstream = "{upstream}"\nlisten = "127.0.0.1:0"\n[resources.nothing.http]\njoined_text = ["/text"]\n'
    )
    command = [sys.executable, "-m", "consentry", "up", "--no-browser", "--port", "0"]
    child = subprocess.Popen(
        [*command, "--data", str(folder / "data"), "--config", str(folder / "consentry.toml")],
        stdout=subprocess.PIPE,
        text=True,
    )
    url = link = listening = ""
    assert child.stdout is not None
    for line in child.stdout:
        if found := re.search(r"Consentry is at\s+(http://\S+)", line):
            url = found.group(1)
        if found := re.search(r"nothing is at\s+(http://\S+)", line):
            listening = found.group(1)
        if found := re.search(r"#token=(\S+)", line):
            link = found.group(1)
            break
    from consentry.demo.people import Someone, sign_in

    with Someone(url, sign_in(url, link)) as admin:
        made = admin.post("/v1/agents", {"name": "bench", "owner": "admin@localhost"})
    return child, Target(listening, child.pid, str(made["token"]))


async def memory(target: Target) -> dict[str, float]:
    """How much the door grows over idle, in MB, at most: a 64 MB upload, a download, and 100 slow streams."""
    idle = target.rss()
    peak = dict.fromkeys(("upload", "download", "streams"), 0.0)

    async def watch(name: str) -> None:
        while True:
            peak[name] = max(peak[name], (target.rss() - idle) / 1e6)
            await asyncio.sleep(0.02)

    async def upload(http: aiohttp.ClientSession) -> None:
        async def pieces():  # type: ignore[no-untyped-def]
            for _ in range(BIG >> 18):
                yield b"y" * (1 << 18)

        async with http.post(f"{target.url}/up", data=pieces(), headers=target.headers) as answer:
            await answer.read()
            if answer.status != 200:
                raise SystemExit(f"the upload failed: {answer.status}")

    async def download(http: aiohttp.ClientSession) -> None:
        async with http.get(f"{target.url}/much", headers=target.headers) as answer:
            size = 0
            async for piece in answer.content.iter_any():
                size += len(piece)
            if size != BIG:
                raise SystemExit("the download is not whole")

    async def slow(http: aiohttp.ClientSession) -> None:
        async with http.get(f"{target.url}/much", headers=target.headers) as answer:
            for _ in range(12):
                await answer.content.readany()
                await asyncio.sleep(0.25)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True), read_bufsize=1 << 14
    ) as http:
        for name, work in (("upload", upload), ("download", download), ("streams", slow)):
            watching = asyncio.create_task(watch(name))
            await asyncio.gather(*(work(http) for _ in range(STREAMS if name == "streams" else 1)))
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
    return {name: round(value, 1) for name, value in peak.items()}


async def measure(folder: Path) -> dict[str, object]:
    port, bare_port, mitm_port = free_port(), free_port(), free_port()
    upstream = f"http://127.0.0.1:{port}"
    children: list[subprocess.Popen[str]] = [start(sys.executable, __file__, "serve", str(port))]
    await reachable(port)
    targets = {"direct": Target(upstream, children[0].pid)}
    children.append(start(sys.executable, str(BARE), upstream, str(bare_port)))
    await reachable(bare_port)
    targets["bare"] = Target(f"http://127.0.0.1:{bare_port}", children[-1].pid)
    try:
        for name, level, mask in (
            ("door L0", '@level("L0")', ""),
            ("door L1", "", ""),
            ("door masked", '@level("L0")', '@mask("EMAIL_ADDRESS,PHONE_NUMBER,CREDIT_CARD")'),
        ):
            child, target = await asyncio.to_thread(consentry, folder / name.replace(" ", ""), upstream, level, mask)
            children.append(child)
            targets[name] = target
        if MITMDUMP is not None:
            children.append(
                start(MITMDUMP, "-q", "--mode", f"reverse:{upstream}", "--listen-port", str(mitm_port),
                      "--set", f"confdir={folder}")
            )  # fmt: skip
            await reachable(mitm_port)
            targets["mitmdump"] = Target(f"http://127.0.0.1:{mitm_port}", children[-1].pid)
        return await _measured(targets)
    finally:
        for child in children:
            child.terminate()
        for child in children:
            child.wait(15)


async def _measured(targets: dict[str, Target]) -> dict[str, object]:
    fast = {name: one for name, one in targets.items() if name != "door masked"}
    for target in targets.values():
        await target.burst()
    rates: dict[str, list[float]] = {name: [] for name in fast}
    costs: dict[str, list[float]] = {name: [] for name in fast}
    for _ in range(ROUNDS):
        for name, target in fast.items():
            rate, cost = await target.burst()
            rates[name].append(rate)
            costs[name].append(cost)
    first: dict[str, list[float]] = {name: [] for name in targets}
    lags: dict[str, list[float]] = {name: [] for name in ("direct", "door L0", "door masked")}
    behind = 0
    async with aiohttp.ClientSession() as http:
        for _ in range(40):
            for name, target in targets.items():
                first[name].append(await target.first_event_ms(http))
        for _ in range(3):
            for name, found in lags.items():
                late, words = await targets[name].lag(http)
                found.append(late)
                behind = max(behind, words) if name == "door masked" else behind
    return {
        "requests_per_second": {name: round(statistics.median(found)) for name, found in rates.items()},
        "of_bare": {
            name: round(statistics.median(a / b for a, b in zip(found, rates["bare"], strict=True)), 2)
            for name, found in rates.items()
        },
        "cpu_us_per_request": {name: round(statistics.median(found)) for name, found in costs.items()},
        "first_event_ms": {name: round(statistics.median(found), 2) for name, found in first.items()},
        "event_late_ms": {name: round(statistics.median(found), 2) for name, found in lags.items()},
        "masked_words_behind": behind,
        "memory_mb_over_idle": await memory(targets["door L1"]),
    }


def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        serve_nothing(int(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder)))
    print(json.dumps(found, indent=2))
    of_bare, first, rates = found["of_bare"], found["first_event_ms"], found["requests_per_second"]
    assert isinstance(of_bare, dict)
    assert isinstance(first, dict)
    assert isinstance(rates, dict)
    print(f"L0 {of_bare['door L0']} x, L1 {of_bare['door L1']} x the requests/s of a bare proxy (asked: L0 0.8 x)")
    if "mitmdump" in rates:
        print(f"L0 {rates['door L0'] / rates['mitmdump']:.1f} x the requests/s of mitmdump (asked: 5 x)")
    print(f"first event: {first['door L0'] - first['direct']:+.2f} ms over direct (asked: at most 5 ms)")


if __name__ == "__main__":
    main()
