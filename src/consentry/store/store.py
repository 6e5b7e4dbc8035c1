"""What a store promises, for both databases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol, TypeVar

from consentry.errors import InvalidInput, Unavailable
from consentry.store.tx import Tx

T = TypeVar("T")
Operation = Callable[[Tx], T]


@dataclass(frozen=True, slots=True)
class News:
    """What a commit on any replica changed: `actions` to be woken; `everything` says that nobody knows, so look again.

    News without either says that the ledger has grown.
    """

    actions: Collection[str] = ()
    everything: bool = False


Listener = Callable[[News], None]


class StoreUnavailable(Unavailable):
    """The database does not answer, is full, or lost the transaction; nothing was done."""

    code = "store_unavailable"


class OtherSchema(Unavailable):
    """The database's schema is of another release than this one; nothing was changed."""

    code = "other_schema"


class UnfitText(InvalidInput):
    """A text that no text column holds; nothing was done."""

    code = "unfit_text"


class Store(Protocol):
    """Durable state, many processes on one database.

    Durability: when `write` returns, the operation's rows and ledger entries survive a power failure (SQLite
    `synchronous=FULL`, PostgreSQL `synchronous_commit=on`). Atomicity: an operation that raises leaves nothing behind.
    Isolation: an operation on SQLite runs alone; on PostgreSQL at READ COMMITTED, so operations lock or compare and
    swap the rows that they decide on. Visibility: after `write`, every later `read` on any replica sees it.
    """

    async def start(self, *, upgrade: bool = True) -> None:
        """Connect, bring the schema up to date, begin to listen.

        Raises `StoreUnavailable`, and `OtherSchema` where the schema is of a later release, or of an earlier one and
        `upgrade` is not wanted.
        """

    async def close(self) -> None:
        """Finish what is under way and disconnect."""

    def write(self, operation: Operation[T]) -> Awaitable[T]:
        """Run an operation in a transaction, durably. Raises what it raises, or `StoreUnavailable`."""

    def read(self, operation: Operation[T]) -> Awaitable[T]:
        """Run an operation that only reads, against the newest committed state."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` on the event loop after each commit of any replica. Returns the way to stop."""

    def clock_ms(self) -> int:
        """About the database's time, without asking it. What is decided by time is decided with `Tx.now_ms`."""
