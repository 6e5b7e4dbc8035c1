"""Parts of one file over several processes, results in the order of the parts, a bounded number under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import ClassVar, Final, Generic, TypeVar

from consentry.errors import ConsentryError
from consentry.sanitize.files.cleaner import Cleaner, Recipe
from consentry.sanitize.files.tally import Tally

Part = TypeVar("Part")
Result = TypeVar("Result")
_AHEAD: Final = 2


class WorkerLost(ConsentryError):
    """A worker process ended without an answer; nothing was written."""

    code: ClassVar[str] = "worker_lost"


@dataclass(frozen=True, slots=True)
class Done(Generic[Result]):
    """One part's result and what was counted while making it."""

    result: Result
    tally: Tally


def ordered(
    parts: Iterable[Part],
    work: Callable[[Part, Cleaner], Result],
    recipe: Recipe,
    cleaner: Cleaner,
    workers: int,
) -> Iterator[Done[Result]]:
    """`work` over each part. With one worker here, in `cleaner`; else in processes with cleaners of their own.

    `work` is a function of a module or a `functools.partial` of one. The first error ends everything.
    """
    if workers <= 1:
        for part in parts:
            result = work(part, cleaner)
            yield Done(result, cleaner.take_tally())
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (recipe,)) as pool:
        starting = [pool.submit(_ready) for _ in range(workers)]
        waiting: deque[Future[Done[Result]]] = deque()
        try:
            for part in parts:
                if starting and not any(one.done() for one in starting):
                    waiting.append(_here(work, part, cleaner))
                else:
                    starting = []
                    waiting.append(pool.submit(_one, work, part))
                while waiting and (waiting[0].done() or len(waiting) > workers * _AHEAD):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool as error:
            raise WorkerLost("a worker process ended, for want of memory perhaps; try fewer `--workers`") from error
        finally:
            for future in waiting:
                future.cancel()


def _here(work: Callable[[Part, Cleaner], Result], part: Part, cleaner: Cleaner) -> Future[Done[Result]]:
    """One part done in this process: workers take a second to start, in which it would be idle."""
    future: Future[Done[Result]] = Future()
    future.set_result(Done(work(part, cleaner), cleaner.take_tally()))
    return future


def _ready() -> None:
    """Something to do for a worker that has just started."""


_cleaner: Cleaner | None = None


def _start(recipe: Recipe) -> None:
    global _cleaner
    _cleaner = recipe.cleaner()


def _one(work: Callable[[Part, Cleaner], Result], part: Part) -> Done[Result]:
    assert _cleaner is not None
    result = work(part, _cleaner)
    return Done(result, _cleaner.take_tally())
