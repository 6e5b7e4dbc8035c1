"""Accuracy on the benchmark data, with Presidio beside it where `CONSENTRY_PEERS_PYTHON` names its interpreter."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec

from rich.console import Console

PARTS = ("accuracy_structured", "accuracy_names", "accuracy_secrets")


def main() -> None:
    """Prints the tables of the parts that are named as arguments, or of all."""
    console = Console(width=140)
    chosen = [f"accuracy_{name}" for name in sys.argv[1:]] or PARTS
    for part in chosen:
        if find_spec(part) is None:
            console.print(f"{part}: not here")
            continue
        import_module(part).run(console)


if __name__ == "__main__":
    main()
