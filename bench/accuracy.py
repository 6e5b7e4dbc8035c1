"""Accuracy on the benchmark data, with Presidio beside it where `CONSENTRY_PEERS_PYTHON` names its interpreter.

`python bench/accuracy.py [structured] [names] [secrets]` runs the parts that are named, or all.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from rich.console import Console

import accuracy_structured
import shared

SCRIPTS = {"names": "pii", "secrets": "secrets"}
"""Parts that are scripts of their own, and the data that each is given."""


def main() -> None:
    """Prints the tables of each part."""
    console = Console(width=140)
    chosen = sys.argv[1:] or ["structured", *SCRIPTS]
    for part in chosen:
        console.rule(part)
        if part == "structured":
            accuracy_structured.run(console)
        else:
            script = Path(__file__).with_name(f"accuracy_{part}.py")
            subprocess.run([sys.executable, str(script), str(shared.DATA / SCRIPTS[part])], check=True)


if __name__ == "__main__":
    main()
