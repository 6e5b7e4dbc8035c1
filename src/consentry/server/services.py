"""What the server is made of, handed to every route."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentry.consent.gate import Gate
    from consentry.identity.directory import Directory
    from consentry.identity.oidc_sign_in import SignIn
    from consentry.identity.passkeys import Passkeys
    from consentry.server.channels import Channels
    from consentry.server.held import Places
    from consentry.server.hub import Hub
    from consentry.server.looking import Lens
    from consentry.server.metrics import Metrics
    from consentry.server.ratelimit import Attempts
    from consentry.server.settings import Settings
    from consentry.server.visibility import Visibility


@dataclass(slots=True)
class Services:
    """The parts. `origin` is the address that people use, once the port is known."""

    gate: Gate
    directory: Directory
    sign_in: SignIn
    settings: Settings
    lens: Lens
    metrics: Metrics
    attempts: Attempts
    hub: Hub
    visibility: Visibility
    passkeys: Passkeys
    channels: Channels
    streams: Places
    waits: Places
    origin: str
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server is about to stop: waiting callers and streams end at once and come back later."""
    addresses: dict[str, str] = field(default_factory=dict)
    """Where doors of single resources listen, by resource."""
    held: set[asyncio.Task[object]] = field(default_factory=set)
    """Tasks that hold an answer back; woken when the server stops."""

    def stop(self) -> None:
        """Let go of every caller that waits."""
        self.stopping.set()
        for task in list(self.held):
            task.cancel()

    @property
    def secure(self) -> bool:
        """Whether people reach the server by HTTPS."""
        return self.origin.startswith("https://")
