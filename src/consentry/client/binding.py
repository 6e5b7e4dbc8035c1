"""From a call of a guarded function to an action: parameters become exact arguments, or operands pinned by hash.

Nothing is left out in silence: what is neither JSON nor hashable must be named in `unbound`, and reads so in the code.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias

from consentry.actions import Json, JsonObject, canonical
from consentry.client.errors import Misused, NotBindable
from consentry.client.operands import ArrowStream, OperandSource

Values: TypeAlias = Mapping[str, object]
FromCall: TypeAlias = Callable[..., object]
"""Called with those of the call's arguments whose names it takes."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One call, frozen: what is asked for, and what the function will be called with."""

    resource: str
    arguments: JsonObject
    operands: Mapping[str, OperandSource]
    args: tuple[object, ...]
    kwargs: Values
    files: Mapping[str, str]
    """Operand name → parameter that holds its path: the function gets a copy of what was hashed instead."""


class Binder:
    """How calls of one function become actions. Made once, at decoration; raises `Misused` for what cannot work."""

    def __init__(
        self,
        function: Callable[..., object],
        *,
        resource: str | FromCall,
        arguments: FromCall | None,
        operands: Sequence[str] | Mapping[str, FromCall],
        unbound: Sequence[str],
    ) -> None:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise Misused(f"`{function.__name__}` is a generator: it would act after its outcome was recorded")
        self._signature = inspect.signature(function)
        self._hashers = dict(operands) if isinstance(operands, Mapping) else dict.fromkeys(operands)
        self._unbound = frozenset(unbound)
        self._resource = resource
        self._arguments = arguments
        self._check(function.__name__)

    def bind(self, args: tuple[object, ...], kwargs: Values) -> Bound:
        """Bind one call. JSON values are copied, so that a later change of them reaches neither digest nor function."""
        call = self._signature.bind(*args, **kwargs)
        call.apply_defaults()
        operands: dict[str, OperandSource] = {}
        arguments: dict[str, Json] = {}
        for name, value in call.arguments.items():
            if name in self._unbound:
                continue
            source = self._operand(name, value, call.arguments)
            if source is not None:
                operands[name] = source
            elif self._arguments is None:
                arguments[name] = call.arguments[name] = _exact(name, value)
        if self._arguments is not None:
            arguments = _object(_apply(self._arguments, call.arguments))
        files = {name: name for name, source in operands.items() if isinstance(source, Path)}
        return Bound(self._name_resource(call.arguments), arguments, operands, call.args, dict(call.kwargs), files)

    def rebound(self, bound: Bound, paths: Mapping[str, Path]) -> tuple[tuple[object, ...], Values]:
        """The call with files replaced by the copies of what was hashed."""
        call = self._signature.bind(*bound.args, **bound.kwargs)
        for name, path in paths.items():
            call.arguments[bound.files[name]] = path
        return call.args, call.kwargs

    def _operand(self, name: str, value: object, values: Values) -> OperandSource | None:
        hasher = self._hashers.get(name)
        if hasher is not None:
            return partial(_hash, name, hasher, dict(values))
        if isinstance(value, bytes | Path):
            return value
        if isinstance(value, ArrowStream):
            return value
        if name in self._hashers and isinstance(value, str):
            return Path(value)
        if name in self._hashers:
            raise NotBindable(f"the operand `{name}` is no file, bytes or table: give a function that hashes it")
        return None

    def _name_resource(self, values: Values) -> str:
        name = self._resource if isinstance(self._resource, str) else _apply(self._resource, values)
        if not isinstance(name, str):
            raise NotBindable("`resource` must come out as a string")
        return name

    def _check(self, function: str) -> None:
        known = self._signature.parameters.keys()
        asked = {*self._hashers, *self._unbound}
        for helper in (self._resource, self._arguments, *self._hashers.values()):
            if callable(helper):
                asked |= _names(helper)
        if unknown := sorted(asked - known):
            raise Misused(f"`{function}` has no parameter `{'`, `'.join(unknown)}`")


def _exact(name: str, value: object) -> Json:
    """A copy of the value, if it is exact JSON. Raises `NotBindable` naming the parameter."""
    try:
        canonical(value, what=name)  # type: ignore[arg-type]
    except Exception as error:
        raise NotBindable(
            f"{error}; the parameter `{name}` must be exact JSON, bytes, a `Path` or a table,"
            f" or be named in `operands` (with a hash) or in `unbound`"
        ) from None
    return copy.deepcopy(value)  # type: ignore[return-value]


def _object(value: object) -> dict[str, Json]:
    if not isinstance(value, Mapping):
        raise NotBindable("`arguments` must come out as an object")
    return {str(name): _exact(str(name), item) for name, item in value.items()}


def _hash(name: str, hasher: FromCall, values: Values) -> str:
    digest = _apply(hasher, values)
    if not isinstance(digest, str):
        raise NotBindable(f"the hash of the operand `{name}` must be SHA-256 in lower-case hex")
    return digest


def _names(helper: FromCall) -> set[str]:
    kinds = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {name for name, one in inspect.signature(helper).parameters.items() if one.kind not in kinds}


def _apply(helper: FromCall, values: Values) -> object:
    return helper(**{name: value for name, value in values.items() if name in _names(helper)})
