"""Sanitizing tables, against a plain pyarrow copy in the same run.

    python bench/tables.py [--rows 400000] [--repeat 3] [--names] [--jsonl-mb 0]

The Parquet table has 20 columns, 6 of them text: article numbers with five digits, statuses, product words, paths,
short sentences and hyphened codes, all without findings. Speeds are in MB of Arrow data a second of process time,
medians of `--repeat`, one process, one thread; two workers are timed by the clock on the wall. `--jsonl-mb` also
sanitizes a JSON Lines file of that size, every line of which changes, and reports the peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from consentry.sanitize import profiles
from consentry.sanitize.files.run import Job, run_tree

WORDS = str.split(
    "steel bolt copper wire oak panel glass pane rubber seal paint brush sand paper garden hose lamp shade wall hook "
    "green blue large small medium heavy light long short round square with for and plain coated packed"
)
STATUSES = ["pending", "shipped", "returned", "invoiced", "cancelled", "on hold"]


def table(rows: int) -> pa.Table:
    """Twenty columns without a finding."""
    draw = np.random.default_rng(7)
    words = np.array(WORDS)

    def phrases(low: int, high: int) -> list[str]:
        picked = words[draw.integers(0, len(words), (rows, high))]
        sizes = draw.integers(low, high + 1, rows)
        return [" ".join(row[:size]) for row, size in zip(picked, sizes, strict=True)]

    text = {
        "sku": [
            f"{a}-{b:05d}"
            for a, b in zip(words[draw.integers(0, 12, rows)], draw.integers(0, 99_999, rows), strict=True)
        ],
        "status": np.array(STATUSES)[draw.integers(0, len(STATUSES), rows)],
        "product": phrases(2, 4),
        "bin": [
            f"hall/{a}/row/{b}" for a, b in zip(draw.integers(1, 9, rows), draw.integers(1, 99, rows), strict=True)
        ],
        "remark": phrases(4, 12),
        "finish": [f"{a}-{b}" for a, b in zip(phrases(1, 2), words[draw.integers(0, len(words), rows)], strict=True)],
    }
    numbers = {f"measure_{at}": draw.normal(size=rows) for at in range(7)}
    counts = {f"quantity_{at}": draw.integers(0, 10_000, rows) for at in range(5)}
    flags = {"active": draw.integers(0, 2, rows).astype(bool), "weight": draw.random(rows).astype(np.float32)}
    return pa.table({**text, **numbers, **counts, **flags})


def timed(work: Callable[[], object], repeat: int, clock: Callable[[], float] = time.process_time) -> float:
    """The median seconds: of this process, so that a busy machine counts for less, unless another clock is given."""
    out = []
    for _ in range(repeat):
        start = clock()
        work()
        out.append(clock() - start)
    return statistics.median(out)


def copy(source: Path, target: Path) -> None:
    """What pyarrow alone does: read by batches, write."""
    file = pq.ParquetFile(source)
    with pq.ParquetWriter(target, file.schema_arrow, compression="snappy") as writer:
        for group in range(file.num_row_groups):
            writer.write_table(pa.Table.from_batches(file.iter_batches(65_536, [group])))


def parquet(folder: Path, rows: int, repeat: int, names: bool) -> None:
    """Prints the table of speeds."""
    data = table(rows)
    source = folder / "in.parquet"
    pq.write_table(data, source, row_group_size=rows // 8)
    megabytes = data.nbytes / 1e6
    profile = replace(profiles.load("training-data"), names=names)

    def run(workers: int) -> None:
        run_tree(source, folder / f"out{workers}.parquet", Job(profile, workers=workers))

    run(1)
    plain = timed(lambda: copy(source, folder / "copy.parquet"), repeat)
    one = timed(lambda: run(1), repeat)
    waited = timed(lambda: run(1), repeat, time.perf_counter)
    two = timed(lambda: run(2), repeat, time.perf_counter)
    equal = pq.read_table(folder / "out1.parquet").equals(data)
    print(
        f"{rows:,} rows, {megabytes:.0f} MB of Arrow data, names {'on' if names else 'off'}, values unchanged: {equal}"
    )
    print(f"{'plain pyarrow copy':24} {megabytes / plain:7.0f} MB/s")
    print(f"{'sanitize, 1 worker':24} {megabytes / one:7.0f} MB/s  {plain / one:5.2f} of the copy")
    print(
        f"{'sanitize, 2 workers':24} {megabytes / two:7.0f} MB/s  {waited / two:5.2f} x one, by the clock on the wall"
    )


def json_lines(folder: Path, megabytes: int, names: bool) -> None:
    """Sanitizes a JSON Lines file in processes of their own, and prints speed and peak memory of the largest."""
    source = folder / "in.jsonl"
    with source.open("w") as out:
        size = at = 0
        while size < megabytes * 1_000_000:
            text = " ".join(WORDS[(at * 7 + n) % len(WORDS)] for n in range(12))
            size += out.write(
                json.dumps({"id": at, "mail": f"user{at}@mail.example.org", "n": at * 1.5, "note": text}) + "\n"
            )
            at += 1
    for workers in (1, 2):
        command = [sys.executable, "-m", "consentry.cli", "sanitize", str(source), str(folder / f"{workers}.jsonl")]
        code = "import sys; from consentry.cli import main; main(sys.argv[3:])"
        command = [sys.executable, "-c", code, *command[1:], "--workers", str(workers)]
        command += [] if names else ["--no-names"]
        start = time.perf_counter()
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env={**os.environ})
        seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        speed = size / 1e6 / seconds
        print(f"jsonl {size / 1e6:.0f} MB, {workers} worker(s): {speed:6.1f} MB/s, peak {peak:.0f} MiB a process")
    same = (folder / "1.jsonl").read_bytes() == (folder / "2.jsonl").read_bytes() if megabytes < 500 else None
    print(f"same bytes: {same}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--names", action="store_true", help="with the model of names")
    parser.add_argument("--jsonl-mb", type=int, default=0)
    asked = parser.parse_args()
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.rows:
            parquet(folder, asked.rows, asked.repeat, asked.names)
        if asked.jsonl_mb:
            json_lines(folder, asked.jsonl_mb, asked.names)


if __name__ == "__main__":
    main()
