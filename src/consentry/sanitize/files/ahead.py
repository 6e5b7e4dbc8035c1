"""Making the next things in a thread while the last ones are used: reading, looking and writing side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from queue import Full, Queue
from threading import Event, Thread
from typing import Final, TypeVar

Item = TypeVar("Item")
_DEPTH: Final = 2
_PATIENCE: Final = 0.1
"""Seconds after which a full queue is asked whether anybody still wants what is in it."""


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


def ahead(items: Iterable[Item], depth: int = _DEPTH) -> Iterator[Item]:
    """The items in their order, made in a thread of their own; at most `depth` wait for their turn.

    What making one raises is raised here. Whoever takes no more ends the thread with the item that it is at. It pays
    where one side leaves the interpreter alone for long, as reading and writing Parquet do.
    """
    queue: Queue[Item | _End] = Queue(depth)
    unwanted = Event()
    maker = Thread(target=_make, args=(items, queue, unwanted), name="ahead", daemon=True)
    maker.start()
    try:
        while not isinstance(got := queue.get(), _End):
            yield got
        if got.error is not None:
            raise got.error
    finally:
        unwanted.set()
        maker.join()


def _make(items: Iterable[Item], queue: Queue[Item | _End], unwanted: Event) -> None:
    end = _End(None)
    try:
        for item in items:
            if not _put(item, queue, unwanted):
                return
    except BaseException as error:  # whatever it is, it belongs to the one who asked for the items
        end = _End(error)
    _put(end, queue, unwanted)


def _put(item: Item | _End, queue: Queue[Item | _End], unwanted: Event) -> bool:
    """Whether the item was taken into the queue before anybody said that no more are wanted."""
    while not unwanted.is_set():
        try:
            queue.put(item, timeout=_PATIENCE)
            return True
        except Full:
            continue
    return False
