"""A server that begins and ends well."""

from __future__ import annotations

import contextlib
import socket
import sys
from collections.abc import Iterator

import uvicorn

from consentry.errors import ConsentryError


class PortTaken(ConsentryError):
    """Something else listens there."""

    code = "port_taken"


def bound(host: str, port: int) -> socket.socket:
    """A socket of that address. Raises `PortTaken`."""
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise PortTaken(f"`{host}:{port}` cannot be listened on: choose another with `--port`") from None
    return listening


def allow_files(wanted: int) -> None:
    """Let the process have so many open at once, where its hard limit allows it: shells and service managers start
    programs with 1,024, which fewer callers than one server may have waiting use up."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


class CleanExit(uvicorn.Server):
    """A signal ends the serving and is not raised anew afterwards: what stopped as it was told to ends with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()
