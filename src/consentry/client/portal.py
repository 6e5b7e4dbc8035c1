"""One event loop in a thread of its own, so that sync and async callers share connections and code."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class Portal:
    """A running loop. Close it, or leave it to the interpreter's end: the thread is a daemon."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="consentry-client", daemon=True)
        self._thread.start()

    def call(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` on the loop and wait for it here. An interrupt cancels it."""
        future = self._start(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def bridge(self, work: Coroutine[object, object, T]) -> T:
        """Run `work` on the loop and await it from another one."""
        return await asyncio.wrap_future(self._start(work))

    def finish(self, last: Coroutine[object, object, None]) -> None:
        """Run `last`, cancel what is still under way, stop the loop and join its thread."""
        if threading.current_thread() is self._thread:  # collected on our own thread: nobody can wait for its end
            last.close()
            self._loop.stop()
            return
        self.call(last)
        self.call(self._drain())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _start(self, work: Coroutine[object, object, T]) -> Future[T]:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:
            work.close()
            raise

    async def _drain(self) -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._loop.shutdown_asyncgens()
        await self._loop.shutdown_default_executor()
