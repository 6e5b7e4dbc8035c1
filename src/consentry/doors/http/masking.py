"""Answers on their way out: what policy says to mask is masked while it streams, and nothing passes unread.

JSON is masked whole, lines of JSON and events one by one, other text in blocks that no finding lies across.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Iterator, Sequence

import orjson

from consentry.actions import Json
from consentry.doors.http import filters, wire
from consentry.doors.http.cleaning import Cleaner, Flow, JsonBroken
from consentry.doors.http.client import Answer
from consentry.doors.http.config import Upstream
from consentry.doors.http.errors import Unreadable
from consentry.doors.http.filters import Filter
from consentry.doors.http.sse import Event, Reader

BLOCK = 1 << 16
MARGIN = 1 << 14
LONG = 1 << 13
"""What is longer is masked in a thread, so that nobody else waits for it."""
_LINES = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines", "application/jsonlines")
_TEXT = ("application/xml", "application/yaml", "application/x-yaml", "application/javascript", "application/graphql")
_PLAIN_HEADERS = frozenset(
    {
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-expose-headers",
        "age",
        "cache-control",
        "content-disposition-type",
        "content-language",
        "content-security-policy",
        "content-type",
        "date",
        "expires",
        "last-modified",
        "referrer-policy",
        "retry-after",
        "server",
        "vary",
        "x-content-type-options",
        "x-frame-options",
    }
)
"""Headers in which there is nothing of anybody."""


def filter_for(upstream: Upstream, answer: Answer, cleaner: Cleaner) -> Filter | None:
    """The filter for an answer that is masked; `None` where it cannot be read and may pass. Raises `Unreadable`."""
    if answer.empty:
        return _Headers(cleaner)
    found = _by_type(upstream, wire.media_type(answer.header("content-type")), cleaner)
    charset = _charset(answer.header("content-type"))
    if found is None or (charset not in ("utf-8", "us-ascii", "utf8", "ascii")):
        return _unreadable(upstream, cleaner, "of a type or character set that cannot be looked into")
    coding = (answer.header("content-encoding") or "identity").strip().lower()
    if coding == "identity":
        return found
    if coding not in filters.CODINGS:
        return _unreadable(upstream, cleaner, "packed in a way that cannot be looked into")
    return filters.Unpacked(found, coding)


def _unreadable(upstream: Upstream, cleaner: Cleaner, why: str) -> Filter | None:
    if upstream.pass_unreadable:
        return _Headers(cleaner, changes=False)
    raise Unreadable(f"the upstream's answer is {why}, and answers of this resource are masked")


def _by_type(upstream: Upstream, media: str, cleaner: Cleaner) -> Filter | None:
    if media == "application/json" or media.endswith("+json"):
        return WholeJson(cleaner, upstream.max_masked)
    if media in _LINES:
        return Lines(cleaner, upstream.max_masked)
    if media == "text/event-stream":
        return Events(cleaner, upstream.max_masked, upstream.joined_text)
    if media.startswith("text/") or media in _TEXT or media.endswith("+xml"):
        return Text(cleaner)
    return None


def _charset(header: str | None) -> str:
    for part in (header or "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"').lower()
    return "utf-8"


class _Masked:
    """What all filters here have in common."""

    whole = False

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Headers may hold data, too: `Location`, `Link`, a name of somebody."""
        return masked_headers(filters.fresh(headers), self._cleaner)

    def notes(self) -> tuple[str, ...]:
        return ("masked",)


def masked_headers(headers: list[tuple[str, str]], cleaner: Cleaner) -> list[tuple[str, str]]:
    return [(name, value if name in _PLAIN_HEADERS else cleaner.text(value)) for name, value in headers]


class _Headers(_Masked):
    """An answer without a body, or one that may pass unread: only its headers are masked."""

    def __init__(self, cleaner: Cleaner, *, changes: bool = True) -> None:
        super().__init__(cleaner)
        self._changes = changes

    def headers(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return masked_headers(headers, self._cleaner)

    async def feed(self, data: bytes) -> bytes:
        return data

    async def finish(self) -> bytes:
        return b""

    def notes(self) -> tuple[str, ...]:
        return () if self._changes else ("passed unread",)


class WholeJson(_Masked):
    """One JSON document, kept until it is whole."""

    whole = True

    def __init__(self, cleaner: Cleaner, limit: int) -> None:
        super().__init__(cleaner)
        self._limit = limit
        self._held = bytearray()

    async def feed(self, data: bytes) -> bytes:
        self._held += data
        if len(self._held) > self._limit:
            raise Unreadable(f"the answer is larger than the {self._limit} bytes that are masked: ask for less at once")
        return b""

    async def finish(self) -> bytes:
        return await masked_json(bytes(self._held), self._cleaner)


async def masked_json(data: bytes, cleaner: Cleaner) -> bytes:
    """A JSON document, masked. Raises `Unreadable`."""
    if not data.strip():
        return data
    try:
        text = data.decode("utf-8")
        masked = cleaner.json(text) if len(text) < LONG else await asyncio.to_thread(cleaner.json, text)
        return masked.encode("utf-8")
    except (UnicodeDecodeError, JsonBroken):
        raise Unreadable("the upstream's answer says that it is JSON, and is not") from None


class Lines(_Masked):
    """Lines of JSON, each as soon as it is whole."""

    def __init__(self, cleaner: Cleaner, limit: int) -> None:
        super().__init__(cleaner)
        self._limit = limit
        self._rest = b""

    async def feed(self, data: bytes) -> bytes:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > self._limit:
            raise Unreadable("the answer holds a line that is too large to be masked")
        return b"".join([await masked_json(line, self._cleaner) + b"\n" for line in lines])

    async def finish(self) -> bytes:
        return await masked_json(self._rest, self._cleaner)


class Text(_Masked):
    """Any other text, in blocks: a finding across the place where a block would end moves that place.

    What stands on both sides of a block is looked at with it, as in `consentry.sanitize.scan_stream`.
    """

    def __init__(self, cleaner: Cleaner) -> None:
        super().__init__(cleaner)
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._left = ""
        self._held = ""

    async def feed(self, data: bytes) -> bytes:
        self._decode(data, last=False)
        if len(self._held) < BLOCK + MARGIN:
            return b""
        return await asyncio.to_thread(self._settle, len(self._held) - MARGIN)

    async def finish(self) -> bytes:
        self._decode(b"", last=True)
        return await asyncio.to_thread(self._settle, len(self._held))

    def _decode(self, data: bytes, *, last: bool) -> None:
        try:
            self._held += self._decoder.decode(data, last)
        except UnicodeDecodeError:
            raise Unreadable("the upstream's answer says that it is UTF-8, and is not") from None

    def _settle(self, cut: int) -> bytes:
        text, at = self._left + self._held, len(self._left)
        end = at + cut
        found = [one for one in self._cleaner.scan(text) if one.end > at]
        for one in reversed(found):
            if one.start < end < one.end:
                end = max(at, one.start)
        parts = []
        for one in found:
            if one.start >= end:
                break
            parts += [text[at : max(at, one.start)], f"<{one.type}>"]
            at = one.end
        parts.append(text[at:end])
        self._left, self._held = text[:end][-MARGIN:], text[end:]
        return "".join(parts).encode("utf-8")


class Events(_Masked):
    """Events, each as it comes. Texts at `joined` pointers go on from one event to the next and are masked as one."""

    def __init__(self, cleaner: Cleaner, limit: int, joined: Sequence[str] = ()) -> None:
        super().__init__(cleaner)
        self._reader = Reader(limit)
        self._joined = tuple(tuple(one.split("/")[1:]) for one in joined)
        self._flows: dict[tuple[str | int, ...], Flow] = {}
        self._last: dict[tuple[str | int, ...], Event] = {}

    async def feed(self, data: bytes) -> bytes:
        return b"".join([self._event(one) for one in self._reader.feed(data)])

    async def finish(self) -> bytes:
        return b"".join([self._event(one) for one in self._reader.finish()]) + self._rest()

    def _event(self, event: Event) -> bytes:
        event = self._fields(event)
        data = event.data
        if data is None:
            return event.encode()
        if self._joined == ((),):
            self._last[()] = event
            return event.with_data(self._flow(()).feed(data)).encode()
        value = _parsed(data) if self._joined else None
        places = [place for pattern in self._joined for place in places_of(value, pattern)]
        if not places:
            return event.with_data(self._alone(data)).encode()
        kept = {place: str(at(value, place)) for place in places}
        for place, text in kept.items():
            self._last[place] = event
            put(value, place, "")
            kept[place] = self._flow(place).feed(text)
        value = orjson.loads(self._cleaner.json(orjson.dumps(value).decode("utf-8")))
        for place, text in kept.items():
            put(value, place, text)
        return event.with_data(orjson.dumps(value).decode("utf-8")).encode()

    def _alone(self, data: str) -> str:
        try:
            return self._cleaner.json(data)
        except JsonBroken:
            return self._cleaner.text(data)

    def _fields(self, event: Event) -> Event:
        if not event.fields:
            return event
        return Event(event.data, tuple(self._cleaner.text(one) for one in event.fields), event.name)

    def _flow(self, place: tuple[str | int, ...]) -> Flow:
        return self._flows.setdefault(place, Flow(self._cleaner))

    def _rest(self) -> bytes:
        """What is still held, in events like the last ones."""
        found = []
        for place, flow in self._flows.items():
            text, event = flow.finish(), self._last[place]
            if not text:
                continue
            if not place or event.data is None:
                found.append(event.with_data(text).encode())
                continue
            value = orjson.loads(self._alone(event.data))
            put(value, place, text)
            found.append(event.with_data(orjson.dumps(value).decode("utf-8")).encode())
        return b"".join(found)


Place = tuple[str | int, ...]


def _parsed(data: str) -> Json:
    try:
        value: Json = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    return value


def places_of(value: Json, pattern: Sequence[str], above: Place = ()) -> Iterator[Place]:
    """Where texts stand in a JSON value, by a pointer with `*` for any place of a list."""
    if not pattern:
        if isinstance(value, str):
            yield above
        return
    key, rest = pattern[0], pattern[1:]
    if isinstance(value, dict) and key in value:
        yield from places_of(value[key], rest, (*above, key))
    elif isinstance(value, list):
        chosen = range(len(value)) if key == "*" else [int(key)] if key.isdecimal() and int(key) < len(value) else []
        for number in chosen:
            yield from places_of(value[number], rest, (*above, number))


def at(value: Json, place: Place) -> Json:
    for key in place:
        value = value[key]  # type: ignore[index]
    return value


def put(value: Json, place: Place, text: str) -> None:
    at(value, place[:-1])[place[-1]] = text  # type: ignore[index]
