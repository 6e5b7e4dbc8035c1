"""What the core and a channel say to each other. Frozen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Protocol, Self

from consentry.channels.card import Card
from consentry.errors import ConsentryError, InvalidInput
from consentry.store import Tx

Mask = Callable[[str], str]
"""Replaces personal data and secrets in a text. What it leaves as it was may be shown."""


class Role(StrEnum):
    """What a message is for."""

    REVIEW = "review"
    LISTED = "listed"
    REQUESTER = "requester"
    GLASS = "glass"


class NoteKind(StrEnum):
    """What is said beneath a message."""

    REMINDED = "reminded"
    ESCALATED = "escalated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Posted:
    """Where a message is, in the provider's terms: the conversation and the id within it."""

    address: str
    provider_id: str


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to be written. With `again`, an earlier try may have arrived: look before sending.

    `listed` are the cards of a message that lists several requests; `card` is the first of them.
    """

    id: str
    target: str
    role: Role
    card: Card
    again: bool = False
    listed: tuple[Card, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """One note to be written beneath a message."""

    id: str
    kind: NoteKind
    message: Outgoing
    again: bool = False


class SendFailed(ConsentryError):
    """The provider did not take a message. `ambiguous` says that it may have, all the same."""

    code = "channel_send_failed"

    def __init__(self, text: str, *, ambiguous: bool = False) -> None:
        super().__init__(text)
        self.ambiguous = ambiguous


class RateLimited(SendFailed):
    """The provider asks to wait; nothing was written."""

    code = "channel_rate_limited"

    def __init__(self, wait_ms: int) -> None:
        super().__init__("the provider asks to wait")
        self.wait_ms = wait_ms


class ChannelMisconfigured(InvalidInput):
    """A channel's settings lack something that it cannot work without."""

    code = "channel_misconfigured"


class InvalidAddress(SendFailed):
    """There is no such place to send to."""

    code = "channel_invalid_address"


class Sender(Protocol):
    """How messages of one channel get there. Everything raises `SendFailed`, and `RateLimited` where it must wait."""

    @property
    def gap_ms(self) -> int:
        """The least time between two messages to one place."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def post(self, message: Outgoing) -> Posted: ...

    async def update(self, posted: Posted, message: Outgoing) -> None:
        """Make a message say what its card says."""

    async def note(self, posted: Posted, remark: Remark) -> str:
        """Write beneath a message; answers the note's id at the provider."""


class Route(Protocol):
    """To whom requests go in one channel. Functions of a `Tx` that only read."""

    @property
    def channel(self) -> str:
        """`slack`, `teams`, `email`."""

    @property
    def editable(self) -> bool:
        """Whether a message that was sent can be changed."""

    def reviewers(self, tx: Tx, resource: str, groups: Sequence[str], persons: frozenset[str]) -> Sequence[str]:
        """The places of a resource, of groups that decide about it, and of the persons who may decide now."""

    def requesters(self, tx: Tx, persons: frozenset[str]) -> Sequence[str]:
        """The places where those who asked are told the end."""


def target_of(channel: str) -> str:
    """The name of a channel in the outbox."""
    return f"channel:{channel}"
