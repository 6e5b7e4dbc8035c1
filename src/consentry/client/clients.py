"""The two clients: `Consentry` for any code, `AsyncConsentry` for code that lives on one event loop."""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from types import TracebackType
from typing import Self

from consentry.actions import JsonObject
from consentry.client.crossing import OnPending, wait
from consentry.client.errors import Misused
from consentry.client.guard import Guard
from consentry.client.model import ClaimGiven, Decision, Status
from consentry.client.operands import OperandSource, pin
from consentry.client.runners import CallersLoop, MakeTransport, OwnLoop
from consentry.client.transport import Ask, Transport

DEFAULT_URL = "http://127.0.0.1:7272"


def over_http(url: str | None, token: str | None, patience_s: float) -> MakeTransport:
    """How to reach the server; settings are read at first use, so that a module may make its client when imported."""

    def make() -> Transport:
        from consentry.client.http import HttpTransport

        secret = token or os.environ.get("CONSENTRY_TOKEN")
        if not secret:
            raise Misused("no token: set `CONSENTRY_TOKEN` to one that `consentry agents create NAME` printed")
        return HttpTransport(url or os.environ.get("CONSENTRY_URL") or DEFAULT_URL, secret, patience_s=patience_s)

    return make


class Consentry(Guard):
    """The gate, from sync and async code alike, of any number of threads and loops.

    `url` and `token` default to `CONSENTRY_URL` and `CONSENTRY_TOKEN`. `patience_s` is how long a call goes on trying
    while the server is away. `on_pending` is told when people have to decide. Work is done on one background loop
    with one pool of connections, opened at first use.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = 60.0,
        on_pending: OnPending | None = None,
    ) -> None:
        self._open(OwnLoop(over_http(url, token, patience_s)), on_pending)

    @classmethod
    def embedded(cls, path: str | Path, *, token: str | None = None, on_pending: OnPending | None = None) -> Self:
        """A gate in this process, on the data directory `path`, without a server: same verbs, same invariants.

        `token` is an agent's, as for a server; without one, the caller is the service `embedded` of whoever owns the
        directory, and its owner may not consent to what it asks. People decide through `consentry up` on the same
        directory. What is embedded guards this process as far as this process plays along; see docs/sdk.md.
        """
        from consentry.client.embedded import EmbeddedTransport

        self = cls.__new__(cls)
        self._open(OwnLoop(lambda: EmbeddedTransport(Path(path), token), survives_fork=False), on_pending)
        return self

    def _open(self, runner: OwnLoop, on_pending: OnPending | None) -> None:
        super().__init__(runner, on_pending)
        self._own = runner
        self._finalizer = weakref.finalize(self, runner.close)

    def submit(
        self,
        operation: str,
        *,
        resource: str,
        arguments: JsonObject | None = None,
        operands: dict[str, OperandSource] | None = None,
        context: JsonObject | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Decision:
        """State an action and return at once with what the gate says of it."""
        ask = Ask(
            operation,
            resource,
            dict(arguments or {}),
            pin(operands or {}),
            dict(context or {}),
            reason,
            idempotency_key,
        )
        return self._own.call(self._own.transport().submit(ask))

    def decision(self, action_id: str) -> Decision:
        """How the action stands now."""
        return self._own.call(self._own.transport().decision(action_id, 0.0))

    def wait(self, action_id: str, *, wait_s: float | None = None) -> Decision:
        """The decision once it is no longer pending. Raises `StillPending` when `wait_s` is over first."""
        return self._own.call(wait(self._own.transport(), action_id, wait_s))

    def claim(self, action_id: str, *, operands: dict[str, OperandSource] | None = None) -> ClaimGiven:
        """Take the right to perform it once; `operands` are hashed anew. Prefer `admit`, which also settles."""
        return self._own.call(self._own.transport().claim(action_id, pin(operands or {})))

    def settle(self, claim_id: str, status: Status, summary: str | None = None) -> None:
        """Report what really happened."""
        self._own.call(self._own.transport().settle(claim_id, status, summary))

    def withdraw(self, request_id: str, reason: str | None = None) -> None:
        """Take a pending request back."""
        self._own.call(self._own.transport().withdraw(request_id, reason))

    def receipt(self, action_id: str) -> bytes:
        """The JSON of the action's receipt, for `consentry verify`."""
        return self._own.call(self._own.transport().receipt(action_id))

    def close(self) -> None:
        """Let go of connections and the background loop; the next use opens them again."""
        self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncConsentry(Guard):
    """The gate on the caller's own event loop, without a thread. Guards async code only."""

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        patience_s: float = 60.0,
        on_pending: OnPending | None = None,
    ) -> None:
        self._loop = CallersLoop(over_http(url, token, patience_s))
        super().__init__(self._loop, on_pending)

    async def submit(
        self,
        operation: str,
        *,
        resource: str,
        arguments: JsonObject | None = None,
        operands: dict[str, OperandSource] | None = None,
        context: JsonObject | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
    ) -> Decision:
        """See `Consentry.submit`."""
        ask = Ask(
            operation,
            resource,
            dict(arguments or {}),
            pin(operands or {}),
            dict(context or {}),
            reason,
            idempotency_key,
        )
        return await self._loop.transport().submit(ask)

    async def decision(self, action_id: str) -> Decision:
        """See `Consentry.decision`."""
        return await self._loop.transport().decision(action_id, 0.0)

    async def wait(self, action_id: str, *, wait_s: float | None = None) -> Decision:
        """See `Consentry.wait`."""
        return await wait(self._loop.transport(), action_id, wait_s)

    async def claim(self, action_id: str, *, operands: dict[str, OperandSource] | None = None) -> ClaimGiven:
        """See `Consentry.claim`."""
        return await self._loop.transport().claim(action_id, pin(operands or {}))

    async def settle(self, claim_id: str, status: Status, summary: str | None = None) -> None:
        """See `Consentry.settle`."""
        await self._loop.transport().settle(claim_id, status, summary)

    async def withdraw(self, request_id: str, reason: str | None = None) -> None:
        """See `Consentry.withdraw`."""
        await self._loop.transport().withdraw(request_id, reason)

    async def receipt(self, action_id: str) -> bytes:
        """See `Consentry.receipt`."""
        return await self._loop.transport().receipt(action_id)

    async def close(self) -> None:
        """Let go of connections."""
        await self._loop.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
