"""Run the server in the foreground: what `consentry up` does."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import socket
import sys
import webbrowser
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import FrameType

import uvicorn

from consentry.errors import ConsentryError
from consentry.identity.model import Invitation
from consentry.server.app import create_app
from consentry.server.build import open_services
from consentry.server.http_door import listeners
from consentry.server.impatient import impatient
from consentry.server.logs import log, set_up
from consentry.server.services import Services
from consentry.server.serving import CleanExit, allow_files, bound
from consentry.server.settings import Settings
from consentry.server.webhooks import Deliverer

BACKLOG = 4096
GRACE_S = 10
Hook = Callable[[Services], Awaitable[None]]


class NotSafe(ConsentryError):
    """The server would listen where others could read its traffic."""

    code = "not_safe"


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says beside the settings.

    `seed` runs once the server is ready, for `--demo`; `clock_offset_ms` moves the store's clock, for rehearsals.
    `sign_in` is whom to print a sign-in link for, whatever the settings say of links: who starts the server has its
    data at hand, and the link is an entry in the ledger.
    """

    no_browser: bool = False
    seed: Hook | None = None
    clock_offset_ms: Callable[[], int] = lambda: 0
    sign_in: str | None = None


class Server(CleanExit):
    """Lets go of waiting callers before it waits for their connections to end."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        self._services = services
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self.ready.set()

    async def stop_with(self, services: Services) -> None:
        """End when the services stop."""
        await services.stopping.wait()
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._services.stop()
        super().handle_exit(sig, frame)


def run(settings: Settings, *, host: str | None = None, port: int | None = None, demo: bool = False,
        no_browser: bool = False, seed: Hook | None = None, sign_in: str | None = None) -> None:  # fmt: skip
    """Serve until a signal says stop; with `demo`, `seed` runs once it answers.

    Raises `ConsentryError` where it cannot start, and `KeyboardInterrupt` where it is interrupted before that.
    """
    server = settings.server.model_copy(
        update={name: value for name, value in (("host", host), ("port", port)) if value is not None}
    )
    settings = settings.model_copy(update={"server": server})
    set_up(settings.log)
    check_address(settings)
    allow_files(2 * settings.limits.connections)
    options = Options(no_browser, seed if demo else None, sign_in=sign_in)
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(settings, options))


async def serve(
    settings: Settings, options: Options = Options(), *, ready: Callable[[Services], None] | None = None
) -> None:
    """`run` inside an event loop. `ready` is told once the server answers."""
    listening = listen(settings)
    port = listening.getsockname()[1]
    settings = settings.model_copy(update={"server": settings.server.model_copy(update={"port": port})})
    try:
        async with open_services(settings, clock_offset_ms=options.clock_offset_ms) as services, listeners(services):
            server = Server(uvicorn_config(settings, services), services)
            deliverer = Deliverer(services.gate.store, settings.webhooks)
            link = await sign_in_link(services, options.sign_in)
            serving = asyncio.create_task(server.serve(sockets=[listening]))
            beside = [asyncio.create_task(deliverer.run()), asyncio.create_task(server.stop_with(services))]
            beside.append(asyncio.create_task(services.channels.run()))
            try:
                await asyncio.wait(
                    {serving, asyncio.ensure_future(server.ready.wait())}, return_when=asyncio.FIRST_COMPLETED
                )
                if server.ready.is_set():
                    spare_the_collector()
                    if options.seed is not None:
                        await options.seed(services)
                    announce(settings, services, link, options)
                    if ready is not None:
                        ready(services)
                    beside.append(asyncio.create_task(warm(services)))
                await serving
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
    finally:
        listening.close()


def spare_the_collector() -> None:
    """What there is now stays: look at new objects only, and less often. A tenth of the time of a busy server."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)


async def warm(services: Services) -> None:
    """Load the sanitizer's patterns beside the first requests rather than before or with them."""
    try:
        await asyncio.to_thread(services.lens.warm)
    except ConsentryError as error:  # each action is denied with this reason, and says so
        log(logging.ERROR, "lens_unusable", code=error.code)


def uvicorn_config(settings: Settings, services: Services) -> uvicorn.Config:
    """The HTTP server: as fast as it gets, and telling nobody what it is."""
    server = settings.server
    return uvicorn.Config(
        create_app(services),
        http=impatient(settings.limits),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=GRACE_S,
        ssl_certfile=server.tls_certificate,
        ssl_keyfile=server.tls_key,
    )


def check_address(settings: Settings) -> None:
    """Raises `NotSafe` for an address that is not of the loopback without TLS or a proxy that ends it."""
    server = settings.server
    if server.tls_certificate is not None or server.behind_proxy or is_loopback(server.host):
        return
    raise NotSafe(
        f"`server.host` is `{server.host}`, which others can reach, and there is no TLS: set `server.tls_certificate` "
        "and `server.tls_key`, or `server.behind_proxy = true` where a proxy ends TLS"
    )


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(settings: Settings) -> socket.socket:
    """The socket, bound before anything is opened. Raises `PortTaken`."""
    listening = bound(settings.server.host, settings.server.port)
    listening.setblocking(False)
    return listening


async def sign_in_link(services: Services, email: str | None = None) -> Invitation | None:
    """A link for the first administrator: at the first start, and again until somebody has signed in with one.

    With `email`, one for that person, whom there must be: the way in when a provider is down or nobody is left.
    """
    directory = services.directory
    if email is not None:
        return await directory.invite(None, (await directory.person(email)).email)
    made = await directory.first_administrator(services.settings.identity.administrator)
    if made is not None:
        return made
    awaited = await directory.administrator_awaited()
    if awaited is None and sys.stdout.isatty() and not services.settings.identity.oidc:
        awaited = await directory.some_administrator()
    return None if awaited is None else await directory.invite(None, awaited.email)


def announce(settings: Settings, services: Services, link: Invitation | None, options: Options) -> None:
    """Say where everything is. The link signs somebody in, so it goes to standard output and never to the log."""
    origin = services.origin
    lines = [f"Consentry is at  {origin}", f"Data is in       {settings.data_dir}"]
    lines += [f"{name} is at  {url}" for name, url in services.addresses.items()]
    target = origin
    if link is not None:
        target = f"{origin}/sign-in#token={link.token}"
        hours = max(1, settings.identity.link // 3_600_000)
        lines += [f"Sign in once as  {link.email} (the link holds for {hours} h)", f"  {target}"]
    else:
        lines.append(f"Sign in at       {origin}/sign-in (no link? `consentry up --sign-in EMAIL` prints one)")
    if options.seed is not None:
        lines.append("In the inbox waits a request of the demo: approve it, and look here again.")
    print("\n".join(lines), flush=True)
    if not options.no_browser and sys.stdout.isatty():
        webbrowser.open(target)
