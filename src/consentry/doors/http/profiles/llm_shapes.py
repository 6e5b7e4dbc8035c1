"""Where texts and tool calls stand in the answers of each API: chat completions, responses, messages. Pure.

Shapes as of the published API references (OpenAI: chat/completions, completions, responses; Anthropic: messages).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from consentry.actions import Json
from consentry.doors.http.profiles.llm import ToolCall

Key = tuple[str | int, ...]


@dataclass(slots=True)
class Delta:
    """A piece of a text in an event. `key` says of which text; `is_call` that the text is a tool call's arguments."""

    key: Key
    holder: dict[str, Json]
    name: str
    is_call: bool = False

    @property
    def text(self) -> str:
        return str(self.holder[self.name])

    def put(self, text: str) -> None:
        self.holder[self.name] = text


class Shape(Protocol):
    """How one API streams."""

    def deltas(self, value: dict[str, Json]) -> Iterator[Delta]: ...

    def ends(self, value: Json) -> Iterator[Key]:
        """The beginnings of the keys of texts that have ended with this event, or before it."""

    def begins_call(self, value: Json) -> bool: ...

    def names(self, value: Json) -> Iterator[tuple[Key, str]]:
        """The keys and names of tool calls that an event begins."""

    def whole(self, value: Json) -> Iterator[tuple[Key, ToolCall]]:
        """Tool calls that an event holds as a whole, whatever was streamed of them."""

    def ends_calls(self, value: Json) -> bool: ...


def shape_of(provider: str, endpoint: str) -> Shape:
    if provider == "anthropic":
        return Messages()
    return Responses() if endpoint == "/responses" else Chat()


def deltas_of(shape: Shape, value: Json) -> Iterator[Delta]:
    if isinstance(value, dict):
        yield from shape.deltas(value)


def _dicts(value: Json) -> Iterator[dict[str, Json]]:
    for one in value if isinstance(value, list) else ():
        if isinstance(one, dict):
            yield one


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _texts(key: Key, holder: Json, names: tuple[str, ...]) -> Iterator[Delta]:
    if isinstance(holder, dict):
        for name in names:
            if isinstance(holder.get(name), str):
                yield Delta((*key, name), holder, name)


class Chat:
    """Chat completions, and the older completions."""

    def deltas(self, value: dict[str, Json]) -> Iterator[Delta]:
        for choice in _dicts(value.get("choices")):
            key = (_number(choice.get("index")),)
            yield from _texts(key, choice, ("text",))
            delta = choice.get("delta")
            yield from _texts(key, delta, ("content", "refusal", "reasoning_content", "reasoning"))
            for number, call in enumerate(self._calls(delta)):
                place = (*key, "call", _number(call.get("index", number)))
                inner = _inner(call)
                for name in ("arguments", "input"):
                    if isinstance(inner.get(name), str):
                        yield Delta(place, inner, name, is_call=True)

    def _calls(self, delta: Json) -> Iterator[dict[str, Json]]:
        if isinstance(delta, dict):
            yield from _dicts(delta.get("tool_calls"))
            if isinstance(delta.get("function_call"), dict):
                yield {"index": -1, "function": delta["function_call"]}

    def ends(self, value: Json) -> Iterator[Key]:
        for choice in _dicts(value.get("choices") if isinstance(value, dict) else None):
            if choice.get("finish_reason") is not None:
                yield (_number(choice.get("index")),)

    def begins_call(self, value: Json) -> bool:
        choices = value.get("choices") if isinstance(value, dict) else None
        return any(True for choice in _dicts(choices) for _ in self._calls(choice.get("delta")))

    def names(self, value: Json) -> Iterator[tuple[Key, str]]:
        for choice in _dicts(value.get("choices") if isinstance(value, dict) else None):
            for number, call in enumerate(self._calls(choice.get("delta"))):
                name = _inner(call).get("name")
                if isinstance(name, str) and name:
                    place = _number(call.get("index", number))
                    yield (_number(choice.get("index")), "call", place), name

    def whole(self, value: Json) -> Iterator[tuple[Key, ToolCall]]:
        yield from ()

    def ends_calls(self, value: Json) -> bool:
        return any(True for _ in self.ends(value))


class Messages:
    """Anthropic's messages."""

    def deltas(self, value: dict[str, Json]) -> Iterator[Delta]:
        key, kind = (_number(value.get("index")),), value.get("type")
        if kind == "content_block_delta":
            delta = value.get("delta")
            yield from _texts(key, delta, ("text", "thinking"))
            if isinstance(delta, dict) and isinstance(delta.get("partial_json"), str):
                yield Delta((*key, "call"), delta, "partial_json", is_call=True)

    def ends(self, value: Json) -> Iterator[Key]:
        kind = value.get("type") if isinstance(value, dict) else None
        if kind == "content_block_stop" and isinstance(value, dict):
            yield (_number(value.get("index")),)
        elif kind in ("message_delta", "message_stop"):
            yield ()

    def begins_call(self, value: Json) -> bool:
        return any(True for _ in self.names(value))

    def names(self, value: Json) -> Iterator[tuple[Key, str]]:
        if isinstance(value, dict) and value.get("type") == "content_block_start":
            block = value.get("content_block")
            if isinstance(block, dict) and str(block.get("type")).endswith("tool_use"):
                yield (_number(value.get("index")), "call"), str(block.get("name"))

    def whole(self, value: Json) -> Iterator[tuple[Key, ToolCall]]:
        block = value.get("content_block") if isinstance(value, dict) else None
        if isinstance(block, dict) and block.get("input") and isinstance(value, dict):
            yield (_number(value.get("index")), "call"), _call(block)

    def ends_calls(self, value: Json) -> bool:
        return isinstance(value, dict) and value.get("type") in ("content_block_stop", "message_stop", "error")


class Responses:
    """OpenAI's responses."""

    def deltas(self, value: dict[str, Json]) -> Iterator[Delta]:
        kind = str(value.get("type"))
        if not kind.endswith(".delta") or not isinstance(value.get("delta"), str):
            return
        item = str(value.get("item_id"))
        if "_call_" in kind:
            yield Delta((item, "call"), value, "delta", is_call=True)
        else:
            yield Delta((item, kind, _number(value.get("content_index"))), value, "delta")

    def ends(self, value: Json) -> Iterator[Key]:
        kind = str(value.get("type")) if isinstance(value, dict) else ""
        if kind.endswith(".done") and isinstance(value, dict) and "item_id" in value:
            yield (str(value["item_id"]),)
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            yield ()

    def begins_call(self, value: Json) -> bool:
        return any(True for _ in self.names(value))

    def names(self, value: Json) -> Iterator[tuple[Key, str]]:
        if isinstance(value, dict) and value.get("type") == "response.output_item.added":
            item = value.get("item")
            if isinstance(item, dict) and str(item.get("type")).endswith("_call"):
                yield (str(item.get("id")), "call"), str(item.get("name", item.get("type")))

    def whole(self, value: Json) -> Iterator[tuple[Key, ToolCall]]:
        if isinstance(value, dict):
            response = value.get("response")
            ended = value.get("item") if value.get("type") == "response.output_item.done" else None
            for item in _dicts([ended, *(_list(response.get("output")) if isinstance(response, dict) else ())]):
                if str(item.get("type")).endswith("_call"):
                    yield (str(item.get("id")), "call"), _call(item)

    def ends_calls(self, value: Json) -> bool:
        kind = str(value.get("type")) if isinstance(value, dict) else ""
        return kind in ("response.output_item.done", "response.completed", "response.incomplete", "response.failed")


def calls_in(value: Json) -> Iterator[ToolCall]:
    """The tool calls of an answer in one piece, whichever shape it has."""
    if not isinstance(value, Mapping):
        return
    for message in (value, *(choice.get("message") for choice in _dicts(value.get("choices")))):
        if isinstance(message, Mapping):
            for call in (*_dicts(message.get("tool_calls")), *_dicts([message.get("function_call")])):
                yield _call(call)
    for item in (*_dicts(value.get("content")), *_dicts(value.get("output"))):
        if str(item.get("type")).endswith(("tool_use", "_call")):
            yield _call(item)
    for item in _dicts(value.get("data")):  # a list of what was kept
        yield from (_call(item),) if str(item.get("type")).endswith(("tool_use", "_call")) else calls_in(item)


_ABOUT = frozenset({"id", "call_id", "type", "status", "name", "index", "result", "results", "output", "outputs"})
"""Members of a call that do not say what it is to do."""


def _inner(call: dict[str, Json]) -> dict[str, Json]:
    """Where a call has its name and arguments: chat has them one level down."""
    return next(_dicts([call.get("function"), call.get("custom"), call]))


def _call(call: dict[str, Json]) -> ToolCall:
    """What a call is to do, all of it, however its kind says so: whoever decides must see that (threat D6)."""
    inner = _inner(call)
    said = inner.get("arguments", inner.get("input"))
    if said is None:
        said = {name: item for name, item in inner.items() if name not in _ABOUT}
    name = inner.get("name") or call.get("type")
    return ToolCall(name if isinstance(name, str) else "", said if isinstance(said, str) else _written(said))


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _written(value: Json) -> str:
    import orjson

    return orjson.dumps(value).decode("utf-8")
