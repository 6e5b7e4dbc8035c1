"""The pipe to a server that is a child process: one JSON message a line, on its standard input and output."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from consentry.actions import JsonObject
from consentry.doors.errors import UpstreamBroke, UpstreamDown
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.wire import Id, Message, encode, read_upstream

GRACE_S = 2.0
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "USER", "SHELL", "TERM", "SYSTEMROOT")
"""Variables that a child gets besides those of its settings. Tokens of ours are not among them."""


class StdioPipe:
    """See `link.Pipe`. The child ends with the pipe."""

    def __init__(self, server: Server) -> None:
        self.alive = False
        self._server = server
        self._child: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()

    async def start(self, incoming: Callable[[Message, Id | None], None], broken: Callable[[Exception], None]) -> None:
        program, *arguments = self._server.command
        environment = {name: os.environ[name] for name in KEPT if name in os.environ} | dict(self._server.env)
        try:
            self._child = await asyncio.create_subprocess_exec(
                program,
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL if self._server.quiet else None,
                env=environment,
                limit=self._server.max_message,
                start_new_session=True,
            )
        except OSError:
            raise UpstreamDown(f"the upstream server `{program}` cannot be started: check its command") from None
        self.alive = True
        self._reader = asyncio.create_task(self._read(incoming, broken))

    async def _read(self, incoming: Callable[[Message, Id | None], None], broken: Callable[[Exception], None]) -> None:
        assert self._child is not None
        assert self._child.stdout is not None
        error: Exception = UpstreamBroke("the upstream server ended in the middle of the call")
        try:
            while line := await self._child.stdout.readline():
                if line.lstrip()[:1] in (b"{", b"["):  # anything else is chatter that does not belong there
                    incoming(read_upstream(self._server.echo.cover(line)), None)
        except UpstreamBroke as found:
            error = found
        except (ValueError, OSError):
            error = UpstreamBroke("the upstream server sent a message that is too large")
        self.alive = False
        broken(error)

    async def send(self, message: Message, *, schema: JsonObject | None = None) -> None:
        child = self._child
        if child is None or child.stdin is None or not self.alive:
            raise UpstreamDown("the upstream server is not running")
        try:
            async with self._writing:
                child.stdin.write(encode(message) + b"\n")
                await child.stdin.drain()
        except (OSError, RuntimeError):
            self.alive = False
            raise UpstreamBroke("the upstream server ended in the middle of the call") from None

    def settle_era(self, version: str) -> None:
        """Nothing to do: one pipe, whatever is spoken."""

    async def listen(self) -> None:
        """Nothing to do: everything comes the same way."""

    async def close(self) -> None:
        """Close its input, give it a moment, then end it and whatever it started."""
        self.alive = False
        child, self._child = self._child, None
        if child is None:
            return
        if child.stdin is not None:
            child.stdin.close()
        for sign in (None, signal.SIGTERM, signal.SIGKILL):
            if sign is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, sign)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GRACE_S):
                    await child.wait()
                    break
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
