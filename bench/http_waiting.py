"""Callers that wait over HTTP: memory for each, and how long a vote takes to reach its caller.

    python bench/http_waiting.py [--callers 10000] [--votes 100]

Prints the server process's memory before and with the waiting callers (bound: 400 MB for 10,000), and the time from
sending a vote to the waiting caller's answer (bound: 50 ms at the 99th percentile with 1,000 waiting), beside the time
of a bare vote.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import resource
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import httpx2
import orjson
import psutil


def serve_in_process(folder: str, ready: Connection) -> None:
    """Run a server; say where, and give an administrator's, a reviewer's and an agent's token."""
    import uvloop

    from consentry.server.run import Options, serve
    from consentry.server.services import Services
    from consentry.server.settings import Settings

    settings = Settings.model_validate(
        {
            "server": {"port": 0},
            "log": {"level": "error"},
            "limits": {"wait": "10m", "share": 100},
            "data_dir": Path(folder) / "data",
        }
    )

    async def main() -> None:
        async def go(services: Services) -> None:
            directory = services.directory
            admin = await directory.some_administrator()
            assert admin is not None
            link = await directory.invite(None, "reviewer@example.org", groups=("admins",))
            reviewer = await directory.sign_in(link.token)
            agent = await directory.create_agent(None, "load", admin.id)
            ready.send((services.settings.server.port, reviewer.token, agent.token))

        tasks: list[asyncio.Future[None]] = []
        await serve(settings, Options(no_browser=True), ready=lambda s: tasks.append(asyncio.ensure_future(go(s))))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


class Waiter(asyncio.Protocol):
    """One caller: asks for an action with `wait`, and notes when the answer comes."""

    def __init__(self, port: int, token: str, action: str) -> None:
        self.request = (
            f"GET /v1/actions/{action}?wait=600 HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
            f"authorization: Bearer {token}\r\n\r\n"
        ).encode()
        self.answered: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        if not self.answered.done():
            self.answered.set_result(time.perf_counter())

    def connection_lost(self, error: Exception | None) -> None:
        if not self.answered.done():
            self.answered.set_exception(ConnectionError("closed while waiting"))


async def submit(http: httpx2.AsyncClient, agent: str, number: int) -> tuple[str, str]:
    body = {"operation": "secret.read", "resource": "vault", "arguments": {"n": f"x-{number}"}}
    answer = await http.post("/v1/actions", json=body, headers={"authorization": f"Bearer {agent}"})
    answer.raise_for_status()
    return answer.json()["id"], answer.json()["request_id"]


async def wait_all(port: int, agent: str, actions: list[str], callers: int) -> list[Waiter]:
    loop, waiters = asyncio.get_running_loop(), []
    for start in range(0, callers, 250):
        batch = [Waiter(port, agent, actions[n % len(actions)]) for n in range(start, min(start + 250, callers))]
        await asyncio.gather(
            *(loop.create_connection(lambda one=one: one, "127.0.0.1", port) for one in batch)  # type: ignore[misc]
        )
        waiters += batch
    return waiters


async def measure(port: int, reviewer: str, agent: str, process: psutil.Process, callers: int, votes: int) -> None:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120, trust_env=False) as http:
        made = [await submit(http, agent, number) for number in range(votes)]
        before = process.memory_info().rss
        waiters = await wait_all(port, agent, [action for action, _ in made], min(callers, 1000))
        await asyncio.sleep(2)
        delays, bare = [], []
        for number, (_, request) in enumerate(made[: votes // 2]):
            headers = {"authorization": f"Bearer {reviewer}"}
            shown = (await http.get(f"/v1/requests/{request}", headers=headers)).json()["shown_digest"]
            began = time.perf_counter()
            answer = await http.post(
                f"/v1/requests/{request}/votes",
                content=orjson.dumps({"verdict": "approve", "shown_digest": shown}),
                headers={**headers, "content-type": "application/json"},
            )
            answer.raise_for_status()
            bare.append(time.perf_counter() - began)
            delays.append(await waiters[number].answered - began)
        delays.sort()
        bare.sort()
        p99, vote = delays[int(len(delays) * 0.99)] * 1000, bare[len(bare) // 2] * 1000
        middle = delays[len(delays) // 2] * 1000
        print(
            f"a vote reaches its caller, {len(waiters)} waiting: median {middle:.1f} ms, p99 {p99:.1f} ms "
            f"(bound 50; the vote itself {vote:.1f} ms)"
        )
        more = await wait_all(port, agent, [action for action, _ in made[votes // 2 :]], callers - len(waiters))
        await asyncio.sleep(5)
        with_all = process.memory_info().rss
        open_ones = sum(not one.answered.done() for one in (*waiters, *more))
        print(
            f"{open_ones} waiting: {with_all / 1e6:.0f} MB, {(with_all - before) / max(1, open_ones) / 1e3:.1f} kB each"
        )
        for one in (*waiters, *more):
            one.transport.abort()
        await asyncio.gather(*(one.answered for one in (*waiters, *more)), return_exceptions=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--callers", type=int, default=10_000)
    parser.add_argument("--votes", type=int, default=100)
    given = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(
            target=serve_in_process, args=(folder, theirs), daemon=True
        )
        process.start()
        port, reviewer, agent = ours.recv()
        asyncio.run(measure(port, reviewer, agent, psutil.Process(process.pid), given.callers, given.votes))
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
