"""Claimed calls under way: each runs once, in a task of its own, whoever comes, goes, and comes back for its result."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass

from consentry.actions import Json, JsonObject
from consentry.doors.mcp.client import Channel
from consentry.doors.mcp.errors import METHOD_NOT_FOUND, RpcError

KEPT = 512
"""How many runs are kept for whoever comes back. What is not kept is still on the action, without content."""
LOOKED_AT = 4
"""How many of the oldest are looked at when one is added, which is more than are added: the cost stays the same."""


@dataclass(slots=True)
class Ask:
    """Something that the server wants to know of a client that answers in rounds."""

    method: str
    params: JsonObject
    answer: asyncio.Future[JsonObject]


class Run:
    """One call of an upstream server, as a channel for it and a result for callers.

    `parks` says that the client answers in rounds (present revision): questions are kept until it comes back.
    """

    def __init__(self, *, parks: bool, stays: bool) -> None:
        self.stays = stays
        """Whether it goes on when its caller leaves: what people consented to does."""
        self.asks: dict[str, Ask] = {}
        self.channel: Channel | None = None
        self.task: asyncio.Task[JsonObject] | None = None
        self._parks = parks
        self._numbers = itertools.count(1)
        self._changed = asyncio.Event()

    def begin(self, work: Coroutine[None, None, JsonObject]) -> None:
        """Start it. It ends by itself."""
        self.task = asyncio.create_task(work)
        self.task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[JsonObject]) -> None:
        if not task.cancelled():
            task.exception()  # looked at, whether or not somebody still waits
        self._changed.set()

    @property
    def done(self) -> bool:
        return self.task is not None and self.task.done()

    def result(self) -> JsonObject:
        """Of a run that is done. Raises what it ended with."""
        assert self.task is not None
        if self.task.cancelled():
            raise RpcError(-32800, "the call was cancelled")
        return self.task.result()

    async def settled(self, channel: Channel | None) -> None:
        """Until it is done or asks something. While this waits, `channel` is where its messages go."""
        self.channel = channel
        try:
            while not self.done and not self.asks:
                self._changed.clear()
                await self._changed.wait()
        except asyncio.CancelledError:
            if not self.stays and self.task is not None:
                self.task.cancel()
            raise
        finally:
            if self.channel is channel:
                self.channel = None

    async def notify(self, method: str, params: JsonObject) -> None:
        if self.channel is not None:
            await self.channel.notify(method, params)

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        if not self._parks:
            if self.channel is None:
                raise RpcError(METHOD_NOT_FOUND, "nobody is there to ask")
            return await self.channel.ask(method, params)
        key = f"ask-{next(self._numbers)}"
        self.asks[key] = one = Ask(method, params, asyncio.get_running_loop().create_future())
        self._changed.set()
        try:
            return await one.answer
        finally:
            self.asks.pop(key, None)

    def input_requests(self) -> dict[str, Json]:
        """What it asks now, as the client is told."""
        return {key: {"method": one.method, "params": one.params} for key, one in self.asks.items()}

    def answer(self, responses: JsonObject) -> None:
        """Give it the client's answers; those that nobody asked for are ignored."""
        for key, value in responses.items():
            one = self.asks.pop(key, None)
            if one is None or one.answer.done():
                continue
            if isinstance(value, Mapping):
                one.answer.set_result(value)
            else:
                one.answer.set_exception(RpcError(-32602, "the client gave no answer that can be read"))


class Runs:
    """Runs by the action that was claimed, and by the request that it shares with repeats of itself."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Run] = OrderedDict()

    def add(self, run: Run, *keys: str | None) -> None:
        for key in keys:
            if key is not None:
                self._kept[key] = run
        for _ in range(LOOKED_AT):
            if len(self._kept) <= KEPT:
                return
            key, one = next(iter(self._kept.items()))
            if one.done:
                del self._kept[key]
            else:
                self._kept.move_to_end(key)  # comes round again

    def find(self, *keys: str | None) -> Run | None:
        return next((self._kept[key] for key in keys if key is not None and key in self._kept), None)

    async def close(self) -> None:
        """End what runs. Claims without an outcome become `unknown` when their lease ends."""
        tasks = [one.task for one in self._kept.values() if one.task is not None and not one.task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._kept.clear()
