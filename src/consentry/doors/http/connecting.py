"""Where an upstream is, and how to get there: whichever of its addresses answers first (RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

import aiohappyeyeballs
from yarl import URL

P = TypeVar("P", bound=asyncio.BaseProtocol)
HEAD_START_S = 0.25


@dataclass(frozen=True, slots=True)
class Address:
    """A host, as names are resolved and certificates checked, and its port. `shown` is what `Host` says."""

    host: str
    port: int
    shown: str
    tls: ssl.SSLContext | None

    @classmethod
    def of(cls, origin: str, tls: ssl.SSLContext | None) -> Self:
        """That of `scheme://host[:port]`. Without `tls`, certificates are checked against the system's authorities."""
        url = URL(origin)
        host, secure = url.raw_host or "", url.scheme == "https"
        port = url.port or 0
        name = f"[{host}]" if ":" in host else host
        shown = name if port == (443 if secure else 80) else f"{name}:{port}"
        return cls(host, port, shown, (tls or ssl.create_default_context()) if secure else None)

    async def connect(self, make: Callable[[], P]) -> P:
        """A protocol that is connected. Raises `OSError`, also where the certificate does not hold."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        sock = await aiohappyeyeballs.start_connection(found, happy_eyeballs_delay=HEAD_START_S, interleave=1)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            name = None if self.tls is None else self.host
            _, protocol = await loop.create_connection(make, sock=sock, ssl=self.tls, server_hostname=name)
        except BaseException:
            sock.close()
            raise
        return protocol
