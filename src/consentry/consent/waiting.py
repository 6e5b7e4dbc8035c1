"""Who waits for what, in this process: a future for each caller, no thread and no database connection."""

from __future__ import annotations

import asyncio

from consentry.store import News


class Waiters:
    """Futures by action id. `wake` comes from the store's listener, on the event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self.count = 0

    def wake(self, news: News) -> None:
        """Wake who waits for what changed."""
        if not self._waiting:
            return
        for action_id in list(self._waiting if news.everything else news.actions):
            for future in self._waiting.pop(action_id, ()):
                if not future.done():
                    future.set_result(None)

    def register(self, action_id: str) -> asyncio.Future[None]:
        """A future that the next `wake` of this action resolves. Register before looking, so that nothing is missed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(action_id, []).append(future)
        self.count += 1
        return future

    def forget(self, action_id: str, future: asyncio.Future[None]) -> None:
        """The caller has gone or has its answer."""
        self.count -= 1
        futures = self._waiting.get(action_id)
        if futures is not None and future in futures:
            futures.remove(future)
            if not futures:
                del self._waiting[action_id]
