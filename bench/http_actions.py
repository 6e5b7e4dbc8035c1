"""Allowed and recorded actions over HTTP: one server process, one light client, against bare durable inserts.

    python bench/http_actions.py [--seconds 5] [--connections 64]

The bound writes the same rows in the same store without HTTP, policy or sanitizer.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import orjson


def serve_in_process(folder: str, ready: Connection) -> None:
    """Run a server on a free port and say where, and with which token."""
    import uvloop

    from consentry.server.run import Options, serve
    from consentry.server.services import Services
    from consentry.server.settings import Settings

    settings = Settings.model_validate(
        {"server": {"port": 0}, "log": {"level": "error"}, "data_dir": Path(folder) / "data"}
    )

    async def main() -> None:
        def tell(services: Services) -> None:
            async def go() -> None:
                person = await services.directory.some_administrator()
                assert person is not None
                agent = await services.directory.create_agent(None, "load", person.id)
                ready.send((services.settings.server.port, agent.token))

            task.append(asyncio.ensure_future(go()))

        task: list[object] = []
        await serve(settings, Options(no_browser=True), ready=tell)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


class Client(asyncio.Protocol):
    """Sends the next request as soon as the answer is complete; reads no more of it than it must."""

    def __init__(self, request: bytes, until: float) -> None:
        self.request, self.until, self.done, self.bad = request, until, 0, 0
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.times: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.data = transport, b""
        self._send()

    def _send(self) -> None:
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.data += data
        head, mark, body = self.data.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length: ")
        if not mark or at < 0 or len(body) < int(head[at + 16 :].split(b"\r\n")[0]):
            return
        self.done += head.startswith(b"HTTP/1.1 201")
        self.bad += not head.startswith(b"HTTP/1.1 201")
        self.times.append(time.perf_counter() - self.began)
        self.data = b""
        if time.perf_counter() < self.until:
            self._send()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


async def load(port: int, token: str, connections: int, seconds: float, claim: bool) -> tuple[float, float, int]:
    """Actions a second, the 99th percentile of their latency in ms, and how many failed."""
    body = orjson.dumps(
        {
            "operation": "dataset.read",
            "resource": "books",
            "arguments": {"columns": ["title", "year"], "limit": 100, "where": "year > 1999"},
            "claim": claim,
        }
    )
    request = (
        b"POST /v1/actions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        b"authorization: Bearer %s\r\ncontent-length: %d\r\n\r\n%s" % (token.encode(), len(body), body)
    )
    began = time.perf_counter()
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: Client(request, began + seconds), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(one.closed for one in clients))
    took = time.perf_counter() - began
    times = sorted(t for one in clients for t in one.times)
    p99 = times[int(len(times) * 0.99)] * 1000 if times else 0.0
    return sum(one.done for one in clients) / took, p99, sum(one.bad for one in clients)


async def bound(folder: str, connections: int, seconds: float) -> float:
    """Bare durable inserts a second: two rows and two ledger entries each, in the same group commit."""
    from consentry.actions import new_id
    from consentry.store import Tx, open_store, tables
    from consentry.store.record import record

    store = open_store(f"sqlite:///{folder}/bound.db")
    await store.start()

    def insert(tx: Tx) -> None:
        action = new_id("act")
        tx.insert(
            tables.outbox,
            {"id": new_id("out"), "target": "x", "kind": "x", "payload": "x" * 700, "attempts": 0,
             "next_at": 0, "done_at": 0, "last_error": None},
        )  # fmt: skip
        tx.insert(
            tables.claims,
            {"id": new_id("clm"), "grant_id": action, "action_id": action, "state": "claimed", "claimed_at": 0,
             "lease_until": 0, "settled_at": None, "summary": None},
        )  # fmt: skip
        record(tx, "grant.expired", {"grant": action})
        record(tx, "grant.expired", {"grant": action})

    until, count = time.perf_counter() + seconds, 0

    async def worker() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await store.write(insert)
            count += 1

    await asyncio.gather(*(worker() for _ in range(connections)))
    await store.close()
    return count / seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=serve_in_process, args=(folder, theirs), daemon=True)
        process.start()
        theirs.close()  # so that a server that cannot start is noticed
        port, token = ours.recv()
        bare = statistics.median(
            asyncio.run(bound(f"{folder}", given.connections, given.seconds / 2)) for _ in range(given.runs)
        )
        asyncio.run(load(port, token, given.connections, 2, claim=True))  # the sanitizer loads beside the first ones
        for claim in (False, True):
            runs = [asyncio.run(load(port, token, given.connections, given.seconds, claim)) for _ in range(given.runs)]
            rate, p99, bad = statistics.median(r[0] for r in runs), max(r[1] for r in runs), sum(r[2] for r in runs)
            what = "submitted and claimed" if claim else "submitted"
            print(
                f"{what}: {rate:,.0f}/s, p99 {p99:.1f} ms, {bad} failed; "
                f"{rate / bare:.2f} of {bare:,.0f} bare inserts/s"
            )
        process.terminate()
        process.join()


if __name__ == "__main__":
    main()
