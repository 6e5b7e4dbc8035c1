"""Where the MCP door hangs in the server: `/mcp/{resource}`, behind the same guard as every route."""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.types import Receive, Scope, Send

from consentry.errors import NotFound
from consentry.server.access import ANY_SESSION
from consentry.server.guard import let_in
from consentry.server.lens import Remembering
from consentry.server.settings import InvalidSettings, SanitizeSettings, Settings
from consentry.server.settings_resources import ResourceSettings

if TYPE_CHECKING:
    from consentry.doors.mcp.client import Caller as Caller
    from consentry.doors.mcp.config import Server
    from consentry.doors.mcp.door import Door, Tools
    from consentry.doors.mcp.keeper import Keeper
    from consentry.server.services import Services

PATH = "/mcp/{resource}"
MEMBER = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
KEY_FILE = "mcp.key"
KEY_BYTES = 32
OURS = ("CONSENTRY_TOKEN", "CONSENTRY_URL")
"""Variables that a wrapped server does not get: what guards it is not for it to use."""
NAME_TYPES = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP"})
"""Entity types that take the model of names to find."""


class McpDoor:
    """The route. The door behind it is made at the first call."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._door: Door | None = None
        self._servers: dict[str, Server] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["consentry.route"] = PATH
        session = await let_in(self._services, scope, ANY_SESSION)
        assert session is not None
        server = self._server(scope["path_params"]["resource"])
        from consentry.doors.mcp.client import Caller as Somebody

        places = self._services.streams if scope["method"] == "GET" else self._services.waits
        with places.take(session.subject):
            await self._opened().serve(server, Somebody(session.actor, session.id), scope, receive, send)

    async def close(self) -> None:
        door, self._door = self._door, None
        if door is not None:
            await door.close()

    def _server(self, name: str) -> Server:
        if name not in self._servers:
            settings = self._services.settings
            found = settings.resources.get(name)
            if found is None or found.kind != "mcp":
                raise NotFound('there is no MCP server of this name: add it to `resources` with `kind = "mcp"`')
            names = found.mcp.servers
            self._servers[name] = several(name, found, settings) if names else upstream(name, found, settings.sanitize)
        return self._servers[name]

    def _opened(self) -> Door:
        if self._door is None:
            from consentry.doors.mcp.door import Door
            from consentry.doors.mcp.keeper import GateKeeper

            services = self._services
            self._door = Door(
                GateKeeper(services.gate, services.origin, services.directory.check_named),
                key=key(services.settings.data_dir),
                tools=tools(services.settings.sanitize),
                limit=services.settings.limits.body,
                stopping=services.stopping,
            )
        return self._door


def several(name: str, resource: ResourceSettings, settings: Settings) -> Server:
    """Servers behind one address. Raises `InvalidSettings`, `SecretUnavailable`."""
    from consentry.doors.mcp.config import Server

    if resource.upstream is not None or resource.mcp.command:
        raise InvalidSettings(f"`resources.{name}` has `mcp.servers`, and so neither `upstream` nor `mcp.command`")
    members = []
    for one in resource.mcp.servers:
        found = settings.resources.get(one)
        if found is None or found.kind != "mcp" or found.mcp.servers or not MEMBER.fullmatch(one):
            raise InvalidSettings(
                f"`resources.{name}.mcp.servers` names `{one}`, which must be a resource of kind `mcp` with a server of"
                " its own, and of letters, digits, `-` and `_`"
            )
        member = upstream(one, found, settings.sanitize)
        members.append(replace(member, prefix=member.prefix or f"{one}_"))
    ask = frozenset.intersection(*(one.ask for one in members))
    return Server(resource=name, members=tuple(members), ask=ask)


def upstream(name: str, settings: ResourceSettings, sanitize: SanitizeSettings) -> Server:
    """What the door is told of a server. Raises `InvalidSettings`, `SecretUnavailable`."""
    from consentry.doors.mcp.config import Server

    mcp = settings.mcp
    if (settings.upstream is None) == (not mcp.command):
        raise InvalidSettings(f"`resources.{name}` needs either `upstream` or `mcp.command`")
    url = None if settings.upstream is None else settings.upstream.reveal()
    if url is not None and not url.startswith(("http://", "https://")):
        raise InvalidSettings(
            f"`resources.{name}.upstream` must be the `http://` or `https://` address of an MCP server"
        )
    return Server(
        resource=name,
        url=url,
        command=mcp.command,
        headers={header: one.reveal() for header, one in mcp.headers.items()},
        env={variable: one.reveal() for variable, one in mcp.env.items()},
        gentle=frozenset(mcp.gentle),
        pins=dict(mcp.pins),
        prefix=mcp.prefix,
        ask=frozenset(mcp.ask),
        pass_unreadable=mcp.pass_unreadable,
        hold_s=mcp.hold / 1000,
        beat_s=mcp.beat / 1000,
        timeout_s=mcp.timeout / 1000,
        scan_limit=sanitize.scan_bytes,
    )


def key(data_dir: Path) -> bytes:
    """The key under which what clients carry between rounds is sealed; made once, for this installation alone."""
    file = data_dir / KEY_FILE
    if not file.exists():
        fresh = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.write(os.urandom(KEY_BYTES))
        fresh.replace(file)
    return file.read_bytes()


def tools(settings: SanitizeSettings) -> Tools:
    """What looks into texts at the door: the same sanitizer as everywhere, loaded when it is first needed."""
    from consentry.doors.mcp.door import Tools

    return Tools(_types() if settings.findings else None, _cleaner)


def _types() -> Callable[[str], tuple[str, ...]]:
    scanner: Remembering | None = None

    def types(text: str) -> tuple[str, ...]:
        nonlocal scanner
        if scanner is None:
            from consentry.sanitize import Sanitizer

            scanner = Remembering(Sanitizer.default(names=False))
        return scanner.types(text)

    return types


@lru_cache(maxsize=64)
def _cleaner(masks: tuple[str, ...]) -> Callable[[str], str]:
    """What masks these entity types in a text."""
    from consentry.sanitize import Sanitizer

    sanitizer = Sanitizer.default(names=not NAME_TYPES.isdisjoint(masks), types=masks)
    return lambda text: sanitizer.sanitize(text).text


async def carry(url: str, token: str) -> None:
    """A desktop client on standard input and output, carried to an MCP endpoint over HTTP."""
    from consentry.doors.mcp.bridge import bridge

    await bridge(url, token)


@asynccontextmanager
async def beside(keeper: Keeper, name: str, command: tuple[str, ...]) -> AsyncIterator[tuple[str, str]]:
    """A door of this process alone, in front of a local server and before a gate that is elsewhere.

    Listens on the loopback and answers its address and its token, which nobody else has.
    """
    import uvicorn

    from consentry.actions import Actor, Kind
    from consentry.doors.mcp.client import Caller as Somebody
    from consentry.doors.mcp.config import Server
    from consentry.doors.mcp.door import Door
    from consentry.doors.mcp.reply import send_empty

    server = Server(
        name, command=command, env=dict(os.environ) | dict.fromkeys(OURS, ""), quiet=False, env_is_callers=True
    )
    caller = Somebody(Actor(Kind.AGENT, "self"))
    door = Door(keeper, key=os.urandom(KEY_BYTES), tools=tools(SanitizeSettings()), limit=64 << 20)
    token = secrets.token_urlsafe(32)
    expected = f"Bearer {token}".encode("ascii")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        given = next((value for key, value in scope["headers"] if key == b"authorization"), b"")
        if not hmac.compare_digest(given, expected):
            await send_empty(send, 401)
        else:
            await door.serve(server, caller, scope, receive, send)

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=2
    )
    running = uvicorn.Server(config)
    serving = asyncio.create_task(running.serve(sockets=[listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", token
    finally:
        await door.close()
        running.should_exit = True
        await serving
        listening.close()
