"""`consentry up`: the server and the inbox, in the foreground."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("up")(up)


def up(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen on. Default: `server.host`, 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one. Default: 7272.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", envvar="CONSENTRY_DATA", help="Data directory. Default: the platform's.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="Settings. Default: ./consentry.toml.")] = None,
    demo: Annotated[bool, typer.Option("--demo", help="Put a request in the inbox, with a pipeline that waits.")] = (
        False
    ),
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser.")] = False,
    sign_in: Annotated[
        str | None, typer.Option("--sign-in", metavar="EMAIL", help="Print a sign-in link for this person.")
    ] = None,
) -> None:
    """Start the server and the inbox. Works without any settings: loopback, SQLite, starter policies, one-time link."""
    gc.disable()  # a start makes much and drops little; the server turns it on again once it answers
    try:
        _serve(config, data, host, port, demo, no_browser, sign_in)
    finally:
        gc.enable()


def _serve(
    config: Path | None, data: Path | None, host: str | None, port: int | None, demo: bool, no_browser: bool,
    sign_in: str | None,
) -> None:  # fmt: skip
    from consentry.server.run import run
    from consentry.server.settings import load

    settings = load(config, data_dir=data)
    if not demo:
        run(settings, host=host, port=port, no_browser=no_browser, sign_in=sign_in)
        return
    from consentry.demo import seed

    ready = seed.with_dataset(settings)
    run(ready, host=host, port=port, demo=True, no_browser=no_browser, seed=seed.seed, sign_in=sign_in)
