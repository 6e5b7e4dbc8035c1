"""What the ledger costs: allowed actions a second with their entries, beside the same transactions without them.

Without: the same rows by the same code, and `Tx.append` drops the entry, so that no leaf, frontier or tile is made.
Run: python bench/audit.py
"""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path
from unittest.mock import patch

from consentry.store import Tx
from gate import home, opened, submission

CONCURRENT, ACTIONS, ROUNDS = 64, 2_048, 9
BOUND = 0.15


async def run(folder: Path, first: int) -> tuple[float, float]:
    """Seconds of wall and of CPU for one round, on a store of its own."""
    async with opened(folder, f"sqlite:///{folder / f'{first}.db'}") as gate:
        numbers = iter(range(first, first + ACTIONS))

        async def caller() -> None:
            for number in numbers:
                await gate.submit(submission("dataset.read", number), claim=True)

        await gate.submit(submission("dataset.read", first - 1), claim=True)
        wall, cpu = time.perf_counter(), time.process_time()
        await asyncio.gather(*(caller() for _ in range(CONCURRENT)))
        return time.perf_counter() - wall, time.process_time() - cpu


async def measure(folder: Path) -> list[tuple[float, float]]:
    """Wall and CPU with entries over those without, for each round."""
    ratios = []
    for turn in range(ROUNDS + 1):
        first = (2 * turn + 1) * 1_000_000
        with_entries = await run(folder, first)
        (folder / "ledger.checkpoint").unlink(missing_ok=True)  # the next store is another log
        with patch.object(Tx, "append", lambda *_args, **_named: None):
            without = await run(folder, first + 1_000_000)
        (folder / "ledger.checkpoint").unlink(missing_ok=True)
        if turn:  # the first one warms up
            ratios.append((with_entries[0] / without[0], with_entries[1] / without[1]))
    return ratios


def main() -> None:
    """Print the overhead, and whether the bound holds."""
    with home() as folder:
        ratios = asyncio.run(measure(folder))
    wall, cpu = (statistics.median(ratio[place] for ratio in ratios) - 1 for place in (0, 1))
    print(f"{CONCURRENT} callers, submit and claim, median of {ROUNDS} x {ACTIONS} actions")
    print(f"ledger entries add {wall:.1%} of wall time, {cpu:.1%} of CPU time")
    print(f"asked: at most {BOUND:.0%}: {'holds' if wall <= BOUND else 'MISSED'}")


if __name__ == "__main__":
    main()
