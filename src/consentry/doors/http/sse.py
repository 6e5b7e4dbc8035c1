"""Server-sent events (WHATWG HTML, section 9.2), read and written without losing a field. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from consentry.doors.http.errors import Unreadable


@dataclass(frozen=True, slots=True)
class Event:
    """One event. `fields` are the lines besides its data, comments included, in their order."""

    data: str | None
    fields: tuple[str, ...] = ()
    name: str = ""

    def encode(self) -> bytes:
        lines = list(self.fields)
        if self.data is not None:
            lines += [f"data: {line}" if line else "data:" for line in self.data.split("\n")]
        return ("\n".join(lines) + "\n\n").encode("utf-8")

    def with_data(self, data: str) -> Event:
        return replace(self, data=data)


class Reader:
    """Reads a stream piece by piece. Raises `Unreadable` for what is not UTF-8, or longer than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._data: list[str] = []
        self._fields: list[str] = []
        self._name = ""
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that are complete by now."""
        self._rest += piece
        *lines, self._rest = self._rest.replace(b"\r\n", b"\n").split(b"\n")
        if len(self._rest) + self._size > self._limit:
            raise Unreadable("the upstream sent an event that is too large to be looked into")
        for line in lines:
            for one in line.split(b"\r"):  # a lone carriage return ends a line, too
                event = self._line(one)
                if event is not None:
                    yield event

    def finish(self) -> Iterator[Event]:
        """An event that the end of the stream cut short, as far as it came."""
        lines, self._rest = self._rest.split(b"\r"), b""
        for one in (*lines, b""):
            event = self._line(one)
            if event is not None:
                yield event

    def _line(self, raw: bytes) -> Event | None:
        try:
            line = raw.decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise Unreadable("the upstream sent a stream of events that is not UTF-8") from None
        if not line:
            return self._done()
        self._size += len(raw)
        if self._size > self._limit:
            raise Unreadable("the upstream sent an event that is too large to be looked into")
        name, _, value = line.partition(":")
        if name == "data":
            self._data.append(value.removeprefix(" "))
            return None
        if name == "event":
            self._name = value.removeprefix(" ")
        self._fields.append(line)
        return None

    def _done(self) -> Event | None:
        if not self._data and not self._fields:
            return None
        event = Event("\n".join(self._data) if self._data else None, tuple(self._fields), self._name)
        self._data, self._fields, self._name, self._size = [], [], "", 0
        return event
