"""`consentry door mcp`: one door in the foreground, for a client that speaks on standard input and output.

`consentry door http` stands in `http_door`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from consentry.cli.output import tell
from consentry.errors import InvalidInput

NAME = "wrapped"


def register(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    from consentry.cli.http_door import http

    text = "One door in the foreground: MCP on standard input and output, HTTP."
    group = typer.Typer(no_args_is_help=True, help=text)
    group.command("mcp", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(mcp)
    group.command("http")(http)
    app.add_typer(group, name="door")


def mcp(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- COMMAND ARGS…]", help="A local MCP server to put behind the gate."),
    ] = None,
    resource: Annotated[
        str | None, typer.Option("--resource", help="A resource of the server's settings; or what to call COMMAND.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", envvar="CONSENTRY_DATA", help="Data directory, where no server is named.")
    ] = None,
) -> None:
    """An MCP server for a desktop client: one of the gate's own, or COMMAND behind the gate without configuration.

    With `CONSENTRY_URL` and `CONSENTRY_TOKEN`, or after `consentry login`, the gate is that server. Else COMMAND is put
    behind a gate of this process, whose inbox is announced on standard error.
    """
    if not command:
        if resource is None:
            raise InvalidInput("name a resource with `--resource`, or a local server after `--`")
        asyncio.run(_carry(resource))
    elif _has_server():
        asyncio.run(_beside(resource or _named(command), tuple(command)))
    else:
        asyncio.run(_alone(resource or _named(command), tuple(command), data))


async def _carry(resource: str) -> None:
    from urllib.parse import quote

    from consentry.cli import api
    from consentry.server.mcp import carry

    url, token = api.credentials()
    path = f"/mcp/{quote(resource, safe='')}"
    await _require_known(url, token)
    await _require_there(url, token, path, resource)
    await carry(url.rstrip("/") + path, token)


async def _require_there(url: str, token: str, path: str, resource: str) -> None:
    """Raises `InvalidInput` where the server says that it has no such resource. All else is for the client to hear."""
    from consentry.client.http import HttpTransport, Repeat
    from consentry.errors import ConsentryError

    http = HttpTransport(url, token, patience_s=0.0)
    try:
        await http.send("OPTIONS", path, repeat=Repeat.SAFE)
    except ConsentryError as error:
        if error.code == "not_found":
            raise InvalidInput(
                f"there is no MCP resource `{resource}` at `{url}`: `consentry doctor`, where that server runs, lists "
                f'its resources; add `[resources.{resource}]` with `kind = "mcp"` to its settings'
            ) from None
    finally:
        await http.close()


async def _require_known(url: str, token: str) -> None:
    """Raises where the server does not take the token. All else is for the client to hear."""
    from consentry.client.http import HttpTransport, Repeat
    from consentry.errors import ConsentryError

    http = HttpTransport(url, token, patience_s=0.0)
    try:
        await http.send("GET", "/v1/sessions/current", repeat=Repeat.SAFE)
    except ConsentryError as error:
        if error.code == "not_signed_in":
            raise
    finally:
        await http.close()


async def _beside(resource: str, command: tuple[str, ...]) -> None:
    """COMMAND here, the gate elsewhere: every call is asked of it over its API."""
    from consentry.cli import api
    from consentry.cli.doorkeeper import ApiKeeper
    from consentry.client.http import HttpTransport
    from consentry.server.mcp import beside, carry

    url, token = api.credentials()
    await _require_known(url, token)
    http = HttpTransport(url, token)
    try:
        async with beside(ApiKeeper(http), resource, command) as (address, own):
            await carry(address, own)
    finally:
        await http.close()


async def _alone(resource: str, command: tuple[str, ...], data: Path | None) -> None:
    """COMMAND and a whole gate in this process, with the inbox on a free port of the loopback."""
    from consentry.client import embedded
    from consentry.server.mcp import OURS, carry
    from consentry.server.run import Options, serve
    from consentry.server.services import Services
    from consentry.server.settings import load
    from consentry.server.settings_resources import ResourceSettings

    environment = {name: f"env:{name}" for name, value in os.environ.items() if value and name not in OURS}
    wrapped = ResourceSettings.model_validate({"kind": "mcp", "mcp": {"command": command, "env": environment}})
    settings = load(data_dir=data, overrides={"server.port": 0, "log.level": "error"})
    settings = settings.model_copy(update={"resources": {**settings.resources, resource: wrapped}})
    ready: asyncio.Future[Services] = asyncio.get_running_loop().create_future()
    with contextlib.redirect_stdout(sys.stderr):  # standard output belongs to the client
        serving = asyncio.create_task(serve(settings, Options(no_browser=True), ready=ready.set_result))
        waited: set[asyncio.Future[object]] = {serving, ready}  # type: ignore[arg-type]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        await serving
    services = ready.result()
    tell(f"people decide at {services.origin}; data is in {settings.data_dir}")
    try:
        await carry(f"{services.origin}/mcp/{resource}", await embedded.own_token(services))
    finally:
        services.stop()
        await serving


def _has_server() -> bool:
    """Whether somebody said which server is the gate."""
    from consentry.cli import saved

    return bool(os.environ.get("CONSENTRY_TOKEN")) or saved.load() is not None


def _named(command: list[str]) -> str:
    """What to call a server in actions: the last part of its command that looks like a name."""
    words = [one.rpartition("/")[2] for one in command if not one.startswith("-") and not one.startswith(("/", "."))]
    name = words[-1] if words else Path(command[0]).name
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_.") else "-" for one in name)
    return plain[:64] or NAME
