"""`action` and `admit`: what both clients share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

from consentry.actions import JsonObject
from consentry.client.admission import Admission, Runner
from consentry.client.binding import Binder, Bound, FromCall
from consentry.client.crossing import Claim, Crossing, OnPending, Terms
from consentry.client.operands import OperandSource
from consentry.client.transport import Ask

P = ParamSpec("P")
R = TypeVar("R")


class Guard:
    """Guards functions and blocks of code. A guard alone is courtesy: the code still holds what it needs to go around
    it. Where the claim hands out the credential (`Claim.credentials`), it is enforcement.
    """

    def __init__(self, runner: Runner, on_pending: OnPending | None) -> None:
        self._runner = runner
        self._on_pending = on_pending

    @property
    def on_pending(self) -> OnPending | None:
        """Who is told when people have to decide."""
        return self._on_pending

    def admit(
        self,
        operation: str,
        *,
        resource: str,
        arguments: JsonObject | None = None,
        operands: Mapping[str, OperandSource] | None = None,
        context: JsonObject | None = None,
        reason: str | None = None,
        idempotency_key: str | None = None,
        wait_s: float | None = None,
    ) -> Admission:
        """A context manager, sync and async: inside it the action may be performed, once.

        `arguments` state the action exactly. `operands` are files, bytes or tables, pinned by SHA-256 and read again
        at the claim: use `claim.open(name)`. `reason` is for the people who decide. `wait_s` of `None` waits until
        the request ends by itself. With an `idempotency_key` a caller that was restarted comes back to its request.

        Raises `Denied`, `Expired`, `Withdrawn`, `StillPending`, `OperandChanged`, `Unreachable`, … on the way in.
        """
        ask = Ask(operation, resource, dict(arguments or {}), (), dict(context or {}), reason, idempotency_key)
        return Admission(self._runner, Crossing(ask, operands or {}, Terms(wait_s, self._on_pending)))

    def action(
        self,
        operation: str,
        *,
        resource: str | FromCall,
        arguments: FromCall | None = None,
        operands: Sequence[str] | Mapping[str, FromCall] = (),
        unbound: Sequence[str] = (),
        context: JsonObject | None = None,
        reason: str | None = None,
        wait_s: float | None = None,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Guard a function, sync or async: each call is an action, and runs once consented to.

        Every parameter is bound: JSON values become `arguments`; bytes, `Path`s and tables become operands, pinned by
        SHA-256. `resource` and `arguments` may be functions of parameters by name. `operands` names parameters that
        are paths, or gives a function for each that hashes it. `unbound` names parameters that are left out.

        The function gets copies of its JSON values as they were bound, and for a `Path` a private copy of the bytes
        that were hashed. Raises `NotBindable` naming the parameter, and whatever `admit` raises.
        """

        def guard(function: Callable[P, R]) -> Callable[P, R]:
            binder = Binder(function, resource=resource, arguments=arguments, operands=operands, unbound=unbound)

            def admission(bound: Bound) -> Admission:
                ask = Ask(operation, bound.resource, bound.arguments, (), dict(context or {}), reason)
                return Admission(self._runner, Crossing(ask, bound.operands, Terms(wait_s, self._on_pending)))

            return _wrap(function, binder, admission)

        return guard


def _wrap(function: Callable[P, R], binder: Binder, admission: Callable[[Bound], Admission]) -> Callable[P, R]:
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> object:
            bound = binder.bind(args, kwargs)
            async with admission(bound) as claim:
                again, named = binder.rebound(bound, _copies(bound, claim))
                return await cast("Callable[..., object]", function)(*again, **named)  # type: ignore[misc]

        return cast("Callable[P, R]", guarded_async)

    @functools.wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = binder.bind(args, kwargs)
        with admission(bound) as claim:
            again, named = binder.rebound(bound, _copies(bound, claim))
            return cast("Callable[..., R]", function)(*again, **named)

    return guarded


def _copies(bound: Bound, claim: Claim) -> dict[str, Path]:
    return {name: claim.path(name) for name in bound.files}
