"""The command line. One file per command group; a group is imported when it is called, so that `--help` is quick."""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code (docs/cli.md). Errors are one line on standard error."""
    from consentry.cli.root import run

    sys.exit(run(sys.argv[1:] if argv is None else list(argv)))
