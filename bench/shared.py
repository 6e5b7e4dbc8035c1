"""Where the benchmark data lies: `../shared/bench` beside the clone, or `CONSENTRY_BENCH_DATA`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DATA = Path(os.environ.get("CONSENTRY_BENCH_DATA", Path(__file__).resolve().parents[2] / "shared" / "bench"))


def records(name: str) -> Iterator[dict[str, Any]]:
    """The records of one JSON Lines file. Ends the script, by name, where the data is not there."""
    if not DATA.is_dir():
        print(f"{Path(sys.argv[0]).name}: skipped, since the benchmark data is not there (CONSENTRY_BENCH_DATA)")
        raise SystemExit(0)
    with (DATA / name).open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
