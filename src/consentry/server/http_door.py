"""Where the HTTP door hangs in the server: `/http/{resource}/…`, and listeners of their own.

Callers come with their Consentry token in a header, never with a cookie: what an upstream answers must not become a
page of Consentry itself, nor a link elsewhere a request through the door.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from consentry.errors import ConsentryError, NotFound
from consentry.identity.errors import NotSignedIn
from consentry.server.http_settings import upstream
from consentry.server.lens import Remembering
from consentry.server.settings import InvalidSettings
from consentry.server.settings_resources import ResourceSettings

if TYPE_CHECKING:
    from consentry.doors.http.cleaning import Cleaner
    from consentry.doors.http.client import Client
    from consentry.doors.http.config import Upstream
    from consentry.doors.http.door import Door, Tools
    from consentry.doors.http.exchange import Exchange
    from consentry.doors.http.keeper import Caller
    from consentry.doors.http.listener import Listener
    from consentry.identity.model import Session
    from consentry.sanitize import Sanitizer
    from consentry.server.services import Services

PATH = "/http/{resource}"
DEEPER = "/http/{resource}/{path:path}"
KEY_FILE = "http.key"
KEY_BYTES = 32
NAME_TYPES = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "NRP"})
"""Entity types that take the model of names to find."""


class HttpDoor:
    """The route. The door behind it is made at the first request."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._doors: Doors | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from consentry.doors.http.asgi import AsgiExchange

        scope["consentry.route"] = DEEPER
        name = scope["path_params"]["resource"]
        settings = self._services.settings.resources.get(name)
        if settings is None or settings.kind != "http":
            names = ("authorization",)
            await _session(self._services, token_in(scope["headers"], names, ("bearer",)), names)
            raise NotFound('there is no HTTP resource of this name: add it to `resources` with `kind = "http"`')
        doors = self._doors = self._doors or Doors(self._services)
        client = doors.client(name, settings)
        caller = await doors.caller(client.upstream, scope["headers"])
        exchange = AsgiExchange(scope, receive, send, f"/http/{name}")
        await exchange.serve(doors.door.serve(client, caller, exchange))

    async def close(self) -> None:
        doors, self._doors = self._doors, None
        if doors is not None:
            await doors.close()


class Doors:
    """One door, and a client for each upstream that was asked for."""

    def __init__(self, services: Services) -> None:
        from consentry.doors.http.door import Door
        from consentry.doors.http.keeper import Caller, GateKeeper

        self._services = services
        self._caller = Caller
        self._clients: dict[str, Client] = {}
        spool = services.settings.data_dir / "spool"
        spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        keeper = GateKeeper(services.gate, services.origin, services.waits.take, services.directory.check_named)
        self.door: Door = Door(keeper, tools(services), folder=spool, stopping=services.stopping)

    def client(self, name: str, settings: ResourceSettings) -> Client:
        """Raises `InvalidSettings`, `SecretUnavailable`."""
        if name not in self._clients:
            from consentry.doors.http.client import Client

            limits = self._services.settings.sanitize
            tls = None if settings.http.ca is None else ssl.create_default_context(cafile=settings.http.ca)
            self._clients[name] = Client(upstream(name, settings, limits), tls)
        return self._clients[name]

    async def caller(self, upstream: Upstream, headers: Iterable[tuple[bytes, bytes]]) -> Caller:
        """Who calls. Raises `NotSignedIn`."""
        token = token_in(headers, upstream.token_headers, upstream.token_schemes)
        session = None if token is None else self._services.directory.known(token)
        if session is None:
            session = await _session(self._services, token, upstream.token_headers)
        return self._caller(session.actor, session.id)

    async def close(self) -> None:
        await self.door.close()
        for client in self._clients.values():
            await client.close()


async def _session(services: Services, token: str | None, names: tuple[str, ...]) -> Session:
    if token is None:
        raise NotSignedIn(f"send a Consentry token, once, in one of the headers `{'`, `'.join(names)}`")
    return await services.directory.authenticate(token)


def token_in(headers: Iterable[tuple[bytes, bytes]], names: tuple[str, ...], schemes: tuple[str, ...]) -> str | None:
    """The token that stands in one of these headers; more than one is none."""
    given = [(one, value) for raw, value in headers if (one := raw.decode("latin-1").lower()) in names]
    found = [_token(one, value.decode("latin-1"), schemes) for one, value in given]
    return found[0] if len(found) == 1 else None


def _token(name: str, value: str, schemes: tuple[str, ...]) -> str | None:
    if name != "authorization":
        return value.strip() or None
    scheme, _, rest = value.partition(" ")
    return rest.strip() or None if scheme.lower() in schemes else None


# Listeners of their own.


@asynccontextmanager
async def listeners(
    services: Services, only: str | None = None, address: str | None = None
) -> AsyncIterator[dict[str, str]]:
    """Listen for every HTTP resource that has a `listen` address, or for `only` one; their addresses by name.

    Raises `InvalidSettings`, `NotSafe`, `PortTaken`.
    """
    wanted = {
        name: one
        for name, one in services.settings.resources.items()
        if one.kind == "http" and (one.listen is not None if only is None else name == only)
    }
    if not wanted:
        if only is not None:
            raise InvalidSettings(f'`resources.{only}` is not there, or not of `kind = "http"`')
        yield {}
        return
    async with AsyncExitStack() as stack:
        doors = Doors(services)
        stack.push_async_callback(doors.close)
        found = {}
        for name, settings in wanted.items():
            listener, url = await _listen(services, doors, name, settings, address)
            stack.push_async_callback(listener.close)
            found[name] = services.addresses[name] = url
        yield found


async def _listen(
    services: Services, doors: Doors, name: str, settings: ResourceSettings, address: str | None
) -> tuple[Listener, str]:
    from consentry.doors.http.limits import Limits
    from consentry.doors.http.listener import Listener
    from consentry.server.serving import PortTaken

    host, port = _address(name, address or settings.listen or "")
    server = services.settings.server
    tls = None
    if server.tls_certificate is not None and server.tls_key is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(server.tls_certificate, server.tls_key)
    _check_address(services, host)
    client = doors.client(name, settings)
    limits = services.settings.limits
    borne = Limits(limits.head_time / 1000, limits.body_time / 1000, connections=limits.connections)
    listener = Listener(_handler(doors, client), host, port, tls, borne)
    try:
        await listener.start()
    except OSError:
        raise PortTaken(f"`resources.{name}.listen` is `{host}:{port}`, which cannot be listened on") from None
    shown = f"[{host}]" if ":" in host else host
    return listener, f"{'http' if tls is None else 'https'}://{shown}:{listener.port}"


def _handler(doors: Doors, client: Client) -> Callable[[Exchange], Awaitable[None]]:
    from consentry.doors.http.door import refuse

    async def handle(exchange: Exchange) -> None:
        try:
            caller = await doors.caller(client.upstream, exchange.raw_headers)
        except ConsentryError as error:
            await refuse(exchange, error)
            return
        await doors.door.serve(client, caller, exchange)

    return handle


def _address(name: str, text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None:
        raise InvalidSettings(f"`resources.{name}.listen` must be `HOST:PORT`, such as `127.0.0.1:7433`")
    return host, port


def _check_address(services: Services, host: str) -> None:
    from consentry.server.run import check_address

    settings = services.settings
    server = settings.server.model_copy(update={"host": host})
    check_address(settings.model_copy(update={"server": server}))


# What looks into texts.


def tools(services: Services) -> Tools:
    """The same sanitizer as everywhere, loaded when it is first needed."""
    from consentry.doors.http.door import Tools

    look = Looking() if services.settings.sanitize.findings else None
    return Tools(look, _cleaner, key(services.settings.data_dir))


class Looking:
    """See `doors.http.lens.Look`."""

    def __init__(self) -> None:
        self._scanner: Remembering | None = None
        self._secrets: Sanitizer | None = None

    def types(self, text: str) -> tuple[str, ...]:
        if self._scanner is None:
            from consentry.sanitize import Sanitizer

            self._scanner = Remembering(Sanitizer.default(names=False))
        return self._scanner.types(text)

    def cover(self, text: str) -> str:
        if self._secrets is None:
            from consentry.sanitize import Sanitizer

            self._secrets = Sanitizer.default(names=False, types=("SECRET",))
        return self._secrets.sanitize(text).text


@lru_cache(maxsize=64)
def _cleaner(masks: tuple[str, ...]) -> Cleaner:
    """What masks these entity types."""
    from consentry.doors.http.cleaning import Cleaner
    from consentry.sanitize import Sanitizer

    return Cleaner(Sanitizer.default(names=not NAME_TYPES.isdisjoint(masks), types=masks))


def key(data_dir: Path) -> bytes:
    """The key under which placeholders are made; made once, for this installation alone."""
    file = data_dir / KEY_FILE
    if not file.exists():
        fresh = file.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as target:
            target.write(os.urandom(KEY_BYTES))
        try:
            os.link(fresh, file)  # of several processes, one makes it
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    return file.read_bytes()
