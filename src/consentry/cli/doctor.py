"""`consentry doctor`: what is wrong, and what to do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consentry.cli.output import AsJson, document, say

if TYPE_CHECKING:
    from consentry.cli.checkup import Finding


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("doctor")(doctor)


def doctor(
    data: Annotated[
        Path | None, typer.Option("--data", envvar="CONSENTRY_DATA", help="Data directory. Default: the platform's.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings. Default: ./consentry.toml.")] = None,
    as_json: AsJson = False,
) -> None:
    """Look at settings, policies, store, ledger, people, clocks, upstreams and channels; exit 1 if one is broken.

    Changes nothing, and works with the server up or not.
    """
    from consentry.cli.checkup import Grade, look

    findings = look(config, data)
    broken = any(one.grade is Grade.BROKEN for one in findings)
    if as_json:
        document({"ok": not broken, "findings": [one.to_json() for one in findings]})
    else:
        for one in findings:
            _print(one)
        say("something is broken: see above" if broken else "nothing is broken")
    raise typer.Exit(1 if broken else 0)


def _print(one: Finding) -> None:
    say(f"{one.grade.value:8} {one.part:10} {one.text}")
    if one.todo:
        say(f"{'':19} → {one.todo}")
