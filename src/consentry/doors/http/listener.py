"""A server for one resource, at an address of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from consentry.doors.http.exchange import Exchange
from consentry.doors.http.limits import USUAL, Limits
from consentry.doors.http.taking import READ_SIZE, CallerConnection
from consentry.doors.http.upgrading import Upgrades

GRACE_S = 2.0


class Listener:
    """Open it inside the event loop that serves it. `handle` answers everything."""

    def __init__(
        self,
        handle: Callable[[Exchange], Awaitable[None]],
        host: str,
        port: int,
        tls: ssl.SSLContext | None = None,
        limits: Limits = USUAL,
    ) -> None:
        self._handle = handle
        self._host = host
        self._port = port
        self._tls = tls
        self._limits = limits
        self._server: asyncio.Server | None = None
        self._upgrades = Upgrades(handle)
        self._open: set[CallerConnection] = set()

    @property
    def port(self) -> int:
        """The port that it got."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Raises `OSError` where the address cannot be had."""
        buffer = memoryview(bytearray(READ_SIZE))  # one for all: nothing stays in there
        self._server = await asyncio.get_running_loop().create_server(
            lambda: CallerConnection(
                buffer, self._handle, self._upgrades.take, self._open, self._upgrades.count, self._limits
            ),
            self._host,
            self._port,
            backlog=1024,
            ssl=self._tls,
            ssl_handshake_timeout=None if self._tls is None else self._limits.head_s,
        )

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        closing = [one.close(GRACE_S) for one in list(self._open)]
        await asyncio.gather(*closing, self._upgrades.close(GRACE_S))
