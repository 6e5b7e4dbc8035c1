"""How soon things start: `--help`, the SDK, and a server that answers; beside a bare interpreter in the same run."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable

RUNS = 7


def median_s(once: Callable[[], float], runs: int = RUNS) -> float:
    once()
    return statistics.median(once() for _ in range(runs))


def program(*words: str) -> Callable[[], float]:
    def once() -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    return once


def up() -> float:
    """Until `/readyz` answers, on an empty data directory: key, schema, policies and first link included."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "consentry", "up", "--no-browser", "--port", "0", "--data", folder]
        began = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=folder)
        try:
            assert child.stdout is not None
            url = next(found.group() for line in child.stdout if (found := re.search(r"http://[^/\s]+", line)))
            with urllib.request.urlopen(f"{url}/readyz", timeout=10) as reply:
                assert reply.status == 200
            return time.perf_counter() - began
        finally:
            child.terminate()
            child.wait(20)
            assert child.stdout is not None
            child.stdout.close()


def main() -> None:
    bare = median_s(program("-c", "pass"))
    rows = [
        ("consentry --help", median_s(program("-m", "consentry", "--help")), 0.3),
        ("import consentry.Consentry", median_s(program("-c", "import consentry; consentry.Consentry")), None),
        ("consentry up, until it answers", median_s(up, 5), 3.0),
    ]
    print(f"{'bare interpreter':34} {bare:6.3f} s")
    for name, seconds, bound in rows:
        limit = f"   {seconds / bound:5.2f} of the bound {bound:g} s" if bound else ""
        print(f"{name:34} {seconds:6.3f} s   {seconds / bare:5.1f} x bare{limit}")


if __name__ == "__main__":
    main()
