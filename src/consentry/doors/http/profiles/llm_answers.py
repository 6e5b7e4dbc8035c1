"""What models answer: tokens counted, tool calls put to policy first, placeholders taken back or texts masked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import orjson

from consentry.actions import Json
from consentry.doors.http import filters, wire
from consentry.doors.http.cleaning import Cleaner, Flow
from consentry.doors.http.client import Answer
from consentry.doors.http.config import Upstream
from consentry.doors.http.errors import Unreadable
from consentry.doors.http.filters import Filter
from consentry.doors.http.masking import filter_for as filter_texts
from consentry.doors.http.profiles.llm import PLACEHOLDER, Masked, Prompt, ToolCall, revealed
from consentry.doors.http.profiles.llm_shapes import Delta, Shape, calls_in, deltas_of, shape_of
from consentry.doors.http.sse import Event, Reader

Asks = Callable[[tuple[ToolCall, ...]], Awaitable[None]]
"""Puts tool calls to policy. Raises where they may not reach the caller."""
_STRUCTURE = frozenset(
    {"type", "role", "id", "model", "object", "finish_reason", "stop_reason", "name", "tool_call_id"}
)
_LONGEST_MARK = 80


def filter_for(
    upstream: Upstream,
    prompt: Prompt,
    answer: Answer,
    cleaner: Cleaner | None,
    masked: Masked | None,
    asks: Asks | None,
) -> Filter | None:
    """The filter for a model's answer. Raises `Unreadable` where it would have to be read and cannot be."""
    media = wire.media_type(answer.header("content-type"))
    coding = (answer.header("content-encoding") or "identity").strip().lower()
    has_to = asks is not None or cleaner is not None
    found: Filter | None = None
    if answer.empty:
        return None
    if prompt.endpoint == "/embeddings" or answer.status >= 300:
        asks, has_to = None, cleaner is not None
    if media == "text/event-stream":
        found = Stream(upstream, prompt, cleaner, masked, asks)
    elif media == "application/json":
        found = Document(upstream, prompt, cleaner, masked, asks)
    elif asks is None and cleaner is not None:  # an error text, say
        return filter_texts(upstream, answer, cleaner)
    if found is None or coding not in ("identity", *filters.CODINGS):
        if has_to and not upstream.pass_unreadable:
            raise Unreadable("the model's answer is of a type or packing that cannot be looked into")
        return None
    return found if coding == "identity" else filters.Unpacked(found, coding)


@dataclass(slots=True)
class Usage:
    """Tokens of one request."""

    given: int = 0
    taken: int = 0
    seen: bool = False

    def look(self, value: Json) -> None:
        """Take the counts from wherever this shape puts them. Later ones are totals."""
        if not isinstance(value, Mapping):
            return
        for one in (value.get("usage"), *(_inner(value, name) for name in ("message", "response"))):
            if isinstance(one, Mapping):
                self._take(one)

    def _take(self, usage: Mapping[str, Json]) -> None:
        for name in ("prompt_tokens", "input_tokens"):
            if isinstance(count := usage.get(name), int):
                self.given, self.seen = count, True
        for name in ("completion_tokens", "output_tokens"):
            if isinstance(count := usage.get(name), int):
                self.taken, self.seen = count, True

    def notes(self, model: str | None, prices: Mapping[str, tuple[float, float]]) -> tuple[str, ...]:
        if not self.seen:
            return ()
        counted = f"{self.given} tokens in, {self.taken} out"
        price = prices.get(model or "")
        if price is None:
            return (counted,)
        cost = (self.given * price[0] + self.taken * price[1]) / 1_000_000
        return (counted, f"cost {cost:.6f}")


def _inner(value: Mapping[str, Json], name: str) -> Json:
    inner = value.get(name)
    return inner.get("usage") if isinstance(inner, Mapping) else None


class _Answering:
    """What documents and streams have in common."""

    def __init__(
        self, upstream: Upstream, prompt: Prompt, cleaner: Cleaner | None, masked: Masked | None, asks: Asks | None
    ) -> None:
        self._upstream = upstream
        self._prompt = prompt
        self._cleaner = cleaner
        self._masked = masked
        self._asks = asks
        self._usage = Usage()

    @property
    def _changes(self) -> bool:
        return self._cleaner is not None or self._masked is not None

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return filters.fresh(headers)

    def notes(self) -> tuple[str, ...]:
        return self._usage.notes(self._prompt.model, self._upstream.llm.prices)

    def _text(self, text: str, *, in_json: bool = False) -> str:
        if self._cleaner is not None:
            text = self._cleaner.text(text)
        return text if self._masked is None else revealed(text, self._masked.values, in_json=in_json)

    def _leaves(self, value: Json, key: str = "", *, data: bool = False) -> Json:
        """A JSON value with every text of the model changed; `data` where names are a tool's own (threat E1)."""
        if isinstance(value, str):
            return value if key in _STRUCTURE and not data else self._text(value, in_json=key == "arguments")
        if isinstance(value, Mapping):
            return {name: self._leaves(item, name, data=data or name == "input") for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._leaves(item, key, data=data) for item in value]
        return value

    def _only_texts(self, value: Json) -> Json:
        """Where texts are masked: without what repeats them by tokens. Raises `Unreadable` for sound (threat F5)."""
        if self._cleaner is None:
            return value
        if isinstance(value, Mapping):
            if isinstance(value.get("audio"), Mapping):
                raise Unreadable("the model's answer holds sound, and answers of this resource are masked")
            kept = {name: self._only_texts(item) for name, item in value.items() if name != "logprobs"}
            return kept if len(kept) == len(value) else {**kept, "logprobs": [] if "delta" in value else None}
        if isinstance(value, list | tuple):
            return [self._only_texts(item) for item in value]
        return value


class Document(_Answering):
    """An answer in one piece."""

    whole = True

    def __init__(
        self, upstream: Upstream, prompt: Prompt, cleaner: Cleaner | None, masked: Masked | None, asks: Asks | None
    ) -> None:
        super().__init__(upstream, prompt, cleaner, masked, asks)
        self.whole = prompt.endpoint != "/embeddings" or self._changes
        self._held = bytearray()

    async def feed(self, data: bytes) -> bytes:
        if not self.whole:
            return data
        self._held += data
        if len(self._held) > self._upstream.max_masked:
            raise Unreadable("the model's answer is larger than what is looked into")
        return b""

    async def finish(self) -> bytes:
        data = bytes(self._held)
        if not data:
            return b""
        try:
            value = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise Unreadable("the model's answer says that it is JSON, and is not") from None
        self._usage.look(value)
        value = self._only_texts(value)
        calls = tuple(calls_in(value))
        if calls and self._asks is not None:
            await self._asks(calls)
        return orjson.dumps(self._leaves(value)) if self._changes else data


class _Way(Protocol):
    """One text on its way, in pieces."""

    def feed(self, piece: str) -> str: ...

    def finish(self) -> str: ...


class _Back:
    """Takes placeholders back in a text that comes in pieces: what may become one waits."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        begun = text.rfind("<")
        cut = len(text)
        if begun >= 0 and len(text) - begun < _LONGEST_MARK and ">" not in text[begun:]:
            name = text[begun + 1 :]
            if not name or (name[0].isupper() and name.replace("_", "").isalnum()):
                cut = begun
        self._held = text[cut:]
        return revealed(text[:cut], self._values)

    def finish(self) -> str:
        text, self._held = self._held, ""
        return text


class _Both:
    """Masks first, then takes placeholders back, so that what was taken back is not masked again."""

    def __init__(self, first: _Way, second: _Way) -> None:
        self._first, self._second = first, second

    def feed(self, piece: str) -> str:
        return self._second.feed(self._first.feed(piece))

    def finish(self) -> str:
        return self._second.feed(self._first.finish()) + self._second.finish()


@dataclass(slots=True)
class _Channel:
    """One text of a stream, with the last event that brought a part of it."""

    way: _Way
    event: Event
    value: Json
    delta: Delta


@dataclass(slots=True)
class _Calls:
    """Tool calls that are being written, and the events that wait for them to be whole."""

    held: list[tuple[Event, Json, list[Delta]]] = field(default_factory=list)
    names: dict[tuple[str | int, ...], str] = field(default_factory=dict)
    texts: dict[tuple[str | int, ...], str] = field(default_factory=dict)
    whole: dict[tuple[str | int, ...], ToolCall] = field(default_factory=dict)

    def asked(self) -> tuple[ToolCall, ...]:
        """What is put to policy. Something that holds up events and says nothing of itself is a call without a name."""
        written = {key: ToolCall(self.names.get(key, ""), text) for key, text in self.texts.items() if text}
        named = {key: ToolCall(name, "{}") for key, name in self.names.items()}
        return tuple((named | written | self.whole).values()) or (ToolCall("", "{}"),)


class Stream(_Answering):
    """An answer as it is written, token by token.

    Texts go on as soon as they are settled. From the first piece of a tool call on, events wait until it is whole and
    policy has seen it.
    """

    whole = False

    def __init__(
        self, upstream: Upstream, prompt: Prompt, cleaner: Cleaner | None, masked: Masked | None, asks: Asks | None
    ) -> None:
        super().__init__(upstream, prompt, cleaner, masked, asks)
        self._reader = Reader(upstream.max_masked)
        self._shape: Shape = shape_of(prompt.provider, prompt.endpoint)
        self._channels: dict[tuple[str | int, ...], _Channel] = {}
        self._calls: _Calls | None = None
        self._told: set[tuple[str | int, ...]] = set()
        self._size = 0

    async def feed(self, data: bytes) -> bytes:
        return b"".join([await self._event(one) for one in self._reader.feed(data)])

    async def finish(self) -> bytes:
        parts = [await self._event(one) for one in self._reader.finish()]
        return b"".join([*parts, await self._release(), self._flush(None)])

    async def _event(self, event: Event) -> bytes:
        if event.data is None or event.data.strip() == "[DONE]":
            before = b"" if event.data is None else await self._release() + self._flush(None)
            return before + event.encode()
        try:
            value = orjson.loads(event.data)
        except orjson.JSONDecodeError:
            if self._asks is None and self._cleaner is None:
                return event.encode()
            raise Unreadable("the model's stream holds an event that is not JSON") from None
        self._usage.look(value)
        value = self._only_texts(value)
        deltas = list(deltas_of(self._shape, value))
        if self._asks is not None and (self._calls is not None or self._begins(value)):
            return await self._waiting(event, value, deltas)
        return self._pass(event, value, deltas)

    def _pass(self, event: Event, value: Json, deltas: list[Delta]) -> bytes:
        """An event that need not wait, its texts changed as far as they are settled."""
        if not self._changes:
            return event.encode()
        before = b"".join([self._flush(one) for one in self._shape.ends(value)])
        texts = [(one, self._channel(event, value, one).feed(one.text)) for one in deltas if not one.is_call]
        calls = [(one, one.text) for one in deltas if one.is_call]
        if not deltas:
            return before + event.with_data(_dump(self._leaves(value))).encode()
        for one, text in (*texts, *calls):
            one.put(text)
        return before + event.with_data(_dump(value)).encode()

    def _channel(self, event: Event, value: Json, delta: Delta) -> _Way:
        known = self._channels.get(delta.key)
        if known is None:
            known = self._channels[delta.key] = _Channel(self._way(), event, value, delta)
        known.event, known.value, known.delta = event, value, delta
        return known.way

    def _way(self) -> _Way:
        back = None if self._masked is None else _Back(self._masked.values)
        mask = None if self._cleaner is None else Flow(self._cleaner)
        if back is not None and mask is not None:
            return _Both(mask, back)
        found = back or mask
        assert found is not None
        return found

    def _flush(self, prefix: tuple[str | int, ...] | None) -> bytes:
        """What texts still hold back, each in an event like its last one: they have ended."""
        found = []
        for key in [one for one in self._channels if prefix is None or one[: len(prefix)] == prefix]:
            channel = self._channels.pop(key)
            text = channel.way.finish()
            if text:
                channel.delta.put(text)
                found.append(channel.event.with_data(_dump(channel.value)).encode())
        return b"".join(found)

    # Tool calls.

    def _begins(self, value: Json) -> bool:
        """Whether an event has to do with a tool call that nobody was asked about."""
        return self._shape.begins_call(value) or any(key not in self._told for key, _ in self._shape.whole(value))

    async def _waiting(self, event: Event, value: Json, deltas: list[Delta]) -> bytes:
        self._calls = calls = self._calls or _Calls()
        calls.held.append((event, value, deltas))
        self._size += len(event.data or "")
        if self._size > self._upstream.max_masked:
            raise Unreadable("the model's tool calls are larger than what is looked into")
        calls.names.update(self._shape.names(value))
        calls.whole.update((key, call) for key, call in self._shape.whole(value) if key not in self._told)
        for one in deltas:
            if one.is_call:
                calls.texts[one.key] = calls.texts.get(one.key, "") + one.text
        return await self._release() if self._shape.ends_calls(value) else b""

    async def _release(self) -> bytes:
        """Ask about the calls that are whole now, then let their events go."""
        calls, self._calls, self._size = self._calls, None, 0
        if calls is None:
            return b""
        if self._asks is not None:
            await self._asks(calls.asked())
        self._told.update((*calls.names, *calls.texts, *calls.whole))
        parts, given = [], set()
        for event, value, deltas in calls.held:
            if self._changes:
                for one in deltas:
                    if one.is_call:
                        one.put("" if one.key in given else self._text(calls.texts[one.key], in_json=True))
                        given.add(one.key)
            parts.append(self._pass(event, value, deltas) if not _has_calls(deltas) else event.with_data(
                _dump(value)
            ).encode() if self._changes else event.encode())  # fmt: skip
        return b"".join(parts)


def _has_calls(deltas: list[Delta]) -> bool:
    return any(one.is_call for one in deltas)


def _dump(value: Json) -> str:
    return orjson.dumps(value).decode("utf-8")


__all__ = ["PLACEHOLDER", "Document", "Stream", "Usage", "filter_for"]
