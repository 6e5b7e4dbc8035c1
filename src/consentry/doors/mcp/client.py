"""Who is at the door: the caller behind the token, and what their client can do. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from consentry.actions import Actor, Json, JsonObject
from consentry.doors.mcp.errors import INVALID_PARAMS, UNSUPPORTED_VERSION, RpcError
from consentry.doors.mcp.wire import (
    LEGACY,
    META_CAPABILITIES,
    META_CLIENT,
    META_VERSION,
    MODERN,
    SUPPORTED,
    TASKS,
    Request,
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose token it is. `session` names where it came from, in the ledger."""

    actor: Actor
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    """What a client says of itself: used to choose how to answer, never to judge."""

    version: str
    capabilities: JsonObject = field(default_factory=dict)
    info: JsonObject = field(default_factory=dict)

    @property
    def modern(self) -> bool:
        return self.version == MODERN

    @property
    def takes_tasks(self) -> bool:
        """Whether it declares the tasks extension, which exists in the present revision only."""
        extensions = self.capabilities.get("extensions")
        return self.modern and isinstance(extensions, Mapping) and TASKS in extensions

    @property
    def opens_links(self) -> bool:
        """Whether it shows its user a link when asked to (elicitation in URL mode)."""
        elicitation = self.capabilities.get("elicitation")
        return isinstance(elicitation, Mapping) and "url" in elicitation

    def answers(self, method: str) -> bool:
        """Whether it declared that it answers this request of a server."""
        part = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
        return part.get(method) in self.capabilities


def of_request(request: Request) -> Client:
    """The client of a request in the present revision, which says all of it in `_meta`. Raises `RpcError`."""
    meta = request.meta
    version, capabilities = meta.get(META_VERSION), meta.get(META_CAPABILITIES)
    if not isinstance(version, str):
        raise RpcError(INVALID_PARAMS, f"`_meta` must hold `{META_VERSION}`", http_status=400)
    if version != MODERN:
        raise unsupported(version)
    if not isinstance(capabilities, Mapping):
        raise RpcError(INVALID_PARAMS, f"`_meta` must hold `{META_CAPABILITIES}`", http_status=400)
    return Client(version, capabilities, _object(meta.get(META_CLIENT)))


def of_initialize(request: Request) -> Client:
    """The client of an `initialize` handshake; an unknown revision is answered with our newest that has one."""
    version = request.params.get("protocolVersion")
    if not isinstance(version, str):
        raise RpcError(INVALID_PARAMS, "`protocolVersion` must be a string", http_status=400)
    chosen = version if version in LEGACY else LEGACY[0]
    return Client(chosen, _object(request.params.get("capabilities")), _object(request.params.get("clientInfo")))


def unsupported(version: str) -> RpcError:
    """The refusal of a revision, which names those that are spoken."""
    return RpcError(
        UNSUPPORTED_VERSION,
        "this revision of the protocol is not spoken here",
        {"supported": list(SUPPORTED), "requested": version[:64]},
    )


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


class Channel(Protocol):
    """The way back to the client while a request of theirs is open."""

    async def notify(self, method: str, params: JsonObject) -> None:
        """Send a notification. Never waits for a slow client for long, never raises for one that left."""

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        """Ask the client something. Raises `RpcError` where it cannot or will not answer."""
