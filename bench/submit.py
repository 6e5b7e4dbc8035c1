"""Allowed-and-recorded actions a second, in process, 64 at once, beside a bare sketch of the same work.

The sketch does what cannot be left out: canonical form, digest, four rows and a Merkle leaf each, group commit on
SQLite with `synchronous=FULL`. No policy, no people, no obligations, no typed entries, no event loop.
CPU time is that of this process; it is what to compare where other work shares the machine.
Run: python bench/submit.py [--profile]
"""

from __future__ import annotations

import asyncio
import cProfile
import hashlib
import pstats
import sqlite3
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from consentry.actions import canonical
from consentry.server.run import spare_the_collector
from gate import arguments, home, opened, submission

CONCURRENT, ACTIONS, ROUNDS = 64, 4_096, 5
ASKED = 6_000


@dataclass(frozen=True, slots=True)
class Sample:
    """What one action cost."""

    wall: float
    cpu: float


async def timed(work: Awaitable[None]) -> Sample:
    wall, cpu = time.perf_counter(), time.process_time()
    await work
    return Sample((time.perf_counter() - wall) / ACTIONS, (time.process_time() - cpu) / ACTIONS)


def sketch(folder: Path, first: int) -> None:
    """The bound: batches of as many as wait at once."""
    database = sqlite3.connect(folder / f"sketch-{first}.db", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL"):
        database.execute(f"PRAGMA {pragma}")
    for table in ("action", "permit", "use"):
        database.execute(f"CREATE TABLE {table} (id TEXT PRIMARY KEY, digest TEXT, data BLOB)")
    database.execute("CREATE TABLE entry (seq INTEGER PRIMARY KEY, data BLOB, leaf BLOB)")
    for start in range(0, ACTIONS, CONCURRENT):
        rows, entries = [], []
        for number in range(start, start + CONCURRENT):
            data = canonical(
                {
                    "actor": {"kind": "agent", "id": "agt_etl", "for": {"kind": "person", "id": "per_fay"}},
                    "operation": "dataset.read",
                    "resource": "warehouse",
                    "arguments": arguments(first + number),
                }
            )
            digest = hashlib.sha256(b"consentry action v1\n" + data).hexdigest()
            rows.append((f"{first + number:026}", digest, data))
            entries.append((number, data, hashlib.sha256(b"\0" + data).digest()))
        database.execute("BEGIN IMMEDIATE")
        for table in ("action", "permit", "use"):
            database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
        database.executemany("INSERT INTO entry VALUES (?, ?, ?)", entries)
        database.execute("COMMIT")
    database.close()


async def at_once(act: Callable[[int], Awaitable[object]], first: int) -> None:
    """Keep `CONCURRENT` callers busy until all actions are done."""
    numbers = iter(range(first, first + ACTIONS))

    async def caller() -> None:
        for number in numbers:
            await act(number)

    await asyncio.gather(*(caller() for _ in range(CONCURRENT)))


def main() -> None:
    """Print the table, and whether the bound holds."""
    with home() as folder, asyncio.Runner(loop_factory=loop_factory()) as runner:
        samples = runner.run(measure(folder))
    show(samples)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The event loop that the server runs on: uvloop where there is one."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory


async def measure(folder: Path) -> dict[str, list[Sample]]:
    async with opened(folder) as gate:

        async def only_submit(number: int) -> None:
            await gate.submit(submission("dataset.read", number))

        async def with_claim(number: int) -> None:
            await gate.submit(submission("dataset.read", number), claim=True)

        async def bare(first: int) -> None:
            sketch(folder, first)

        runs: dict[str, Callable[[int], Awaitable[None]]] = {
            "bare sketch": bare,
            "submit": lambda first: at_once(only_submit, first),
            "submit and claim": lambda first: at_once(with_claim, first),
        }
        for run in runs.values():
            await run(0)  # warm
        spare_the_collector()  # as the server does
        if "--profile" in sys.argv:
            profile = cProfile.Profile()
            profile.enable()
            await runs["submit"](1_000_000)
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(45)
        samples: dict[str, list[Sample]] = {name: [] for name in runs}
        for turn in range(1, ROUNDS + 1):  # in turn, so that a busy machine is busy for all of them
            for name, run in runs.items():
                samples[name].append(await timed(run(turn * 10_000_000)))
    return samples


def show(samples: dict[str, list[Sample]]) -> None:
    print(f"{CONCURRENT} callers, median of {ROUNDS} x {ACTIONS} actions")
    print(f"{'':<20}{'actions/s':>12}{'us wall':>10}{'us CPU':>10}{'wall ratio':>12}{'CPU ratio':>12}")
    bare = samples["bare sketch"]
    for name, each in samples.items():
        wall, cpu = statistics.median(s.wall for s in each), statistics.median(s.cpu for s in each)
        walls = statistics.median(s.wall / b.wall for s, b in zip(each, bare, strict=True))
        cpus = statistics.median(s.cpu / b.cpu for s, b in zip(each, bare, strict=True))
        print(f"{name:<20}{1 / wall:>12,.0f}{wall * 1e6:>10.0f}{cpu * 1e6:>10.0f}{walls:>12.1f}{cpus:>12.1f}")
    best = 1 / statistics.median(s.wall for s in samples["submit"])
    print(f"asked: at least {ASKED:,} allowed and recorded a second: {'holds' if best >= ASKED else 'MISSED'}")


if __name__ == "__main__":
    main()
