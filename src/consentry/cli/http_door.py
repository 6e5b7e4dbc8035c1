"""`consentry door http`: one HTTP resource behind the gate, in the foreground, beside whoever uses it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from consentry.cli.output import tell


def http(
    resource: Annotated[str, typer.Option("--resource", help="The resource of the settings, of kind `http`.")],
    listen: Annotated[
        str | None, typer.Option("--listen", help="HOST:PORT, in place of the `listen` of the settings; port 0 is any.")
    ] = None,
    config: Annotated[Path | None, typer.Option("--config", help="The settings file.")] = None,
    data: Annotated[
        Path | None, typer.Option("--data", envvar="CONSENTRY_DATA", help="Data directory, shared with the server.")
    ] = None,
) -> None:
    """A reverse proxy for one HTTP API, on an address of its own, with the store of `consentry up`.

    People decide where that server runs. Ends with a signal; whoever waits is told how to go on.
    """
    from consentry.server.logs import set_up
    from consentry.server.settings import load

    settings = load(config, data_dir=data)
    set_up(settings.log)
    try:
        import uvloop
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(settings, resource, listen))


async def _serve(settings: object, resource: str, listen: str | None) -> None:
    from consentry.server.build import open_services
    from consentry.server.http_door import listeners
    from consentry.server.serving import allow_files
    from consentry.server.settings import Settings

    assert isinstance(settings, Settings)
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    allow_files(2 * settings.limits.connections)
    async with open_services(settings) as services, listeners(services, only=resource, address=listen) as found:
        tell(f"`{resource}` is at {found[resource]}; people decide at {services.origin}")
        await ended.wait()
        services.stop()
