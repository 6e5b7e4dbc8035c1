"""`with gate.admit(…) as claim:` and `async with` the same."""

from __future__ import annotations

from collections.abc import Coroutine
from contextvars import Token
from types import TracebackType
from typing import Protocol, TypeVar

from consentry.client.crossing import Claim, Crossing, _current
from consentry.client.transport import Transport

T = TypeVar("T")


class Runner(Protocol):
    """Runs the SDK's coroutines for a caller, who has an event loop of their own or none."""

    def transport(self) -> Transport: ...

    def call(self, work: Coroutine[object, object, T]) -> T:
        """Run it for code that is not async."""

    async def bridge(self, work: Coroutine[object, object, T]) -> T:
        """Run it for code that is."""


class Admission:
    """One action as a context manager: inside, it may be performed; on the way out its outcome is recorded."""

    def __init__(self, runner: Runner, crossing: Crossing) -> None:
        self._runner = runner
        self._crossing = crossing
        self._token: Token[Claim | None] | None = None

    def __enter__(self) -> Claim:
        return self._entered(self._runner.call(self._crossing.enter(self._runner.transport())))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left()
        self._runner.call(self._crossing.leave(self._runner.transport(), error))

    async def __aenter__(self) -> Claim:
        return self._entered(await self._runner.bridge(self._crossing.enter(self._runner.transport())))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left()
        await self._runner.bridge(self._crossing.leave(self._runner.transport(), error))

    def _entered(self, claim: Claim) -> Claim:
        self._token = _current.set(claim)
        return claim

    def _left(self) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None
