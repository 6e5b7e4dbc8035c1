"""`consentry demo`: the whole story in one terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("demo")(demo)


def demo(
    auto: Annotated[bool, typer.Option("--auto", help="Play the people too; asks nothing.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="A new folder for what it leaves. Default: a temporary one, named.")
    ] = None,
) -> None:
    """A pipeline exports personal data, is paused, a second person consents, and the receipt verifies."""
    from rich.console import Console

    from consentry.demo import story

    folder = _folder(out)
    console = Console(highlight=False, stderr=False)
    told = story.tell(folder, console, None if auto or not sys.stdin.isatty() else _ask)
    console.print(f"\nAll of it is in {told.folder}. Try it yourself:", soft_wrap=True)
    for path in (told.receipt, told.tampered):
        console.print(f"   consentry verify {path} --key {told.key}", soft_wrap=True, markup=False)


def _ask(link: str) -> str:
    typer.echo(f"   Decide here, or open this in a browser first:\n   {link}", err=True)
    answer = typer.prompt("   a approves, d denies, Enter when done in the browser", default="a", err=True)
    return "deny" if str(answer).strip().lower().startswith("d") else "approve"


def _folder(out: Path | None) -> Path:
    from tempfile import mkdtemp

    from consentry.errors import InvalidInput

    if out is None:
        return Path(mkdtemp(prefix="consentry-demo-"))
    try:
        out.mkdir(parents=True, mode=0o700)
    except FileExistsError:
        raise InvalidInput(f"`{out}` exists: name a new folder with `--out`") from None
    except OSError as error:
        raise InvalidInput(f"`{out}` cannot be made: {error.strerror}") from None
    return out.absolute()
