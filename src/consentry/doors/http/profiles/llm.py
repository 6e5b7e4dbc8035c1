"""Language models: prompts of OpenAI- and Anthropic-shaped APIs, masked so that the mask can be taken back. Pure.

A placeholder is made of the value under a key of this installation, so that the same value has the same one in every
turn of a conversation, and no table of values is kept: what stands behind the placeholders of an answer is known from
the request that it answers.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from consentry.actions import Action, Actor, Json
from consentry.actions.texts import texts
from consentry.doors.errors import LensFailed
from consentry.doors.http import lens, wire
from consentry.doors.http.body import Body, Counted, Unparsed
from consentry.doors.http.cleaning import Cleaner, json_swapped, whole
from consentry.doors.http.config import Upstream
from consentry.doors.http.errors import Unreadable, UnreadableBody
from consentry.doors.http.lens import Look
from consentry.doors.http.routing import Route
from consentry.doors.http.wire import Head
from consentry.policy.model import Facts
from consentry.sanitize.detector import Context

OPERATION = "llm.prompt"
REVEAL = "pii.reveal"
SHAPES = {
    "/chat/completions": "openai",
    "/completions": "openai",
    "/responses": "openai",
    "/embeddings": "openai",
    "/messages": "anthropic",
    "/messages/count_tokens": "anthropic",
}
"""How a path ends, and whose shape that is."""
PLACEHOLDER = re.compile(r"<([A-Z][A-Z0-9_]{1,39})_([a-z2-7]{6,26})>")
_SHORTEST_NAME = 6
_STRUCTURE = frozenset(
    {
        "type",
        "role",
        "id",
        "model",
        "object",
        "tool_call_id",
        "tool_use_id",
        "call_id",
        "previous_response_id",
        "encoding_format",
        "media_type",
        "detail",
        "format",
        "service_tier",
        "reasoning_effort",
        "signature",
        "encrypted_content",
    }
)
"""Members whose values are the API's own words and ids, and no part of what the model is told."""
_OWN_WORD = re.compile(r"[\w.:/+=-]*")
"""How such a value looks; what does not is data."""
_OPAQUE = frozenset(
    {
        "image_url",
        "input_image",
        "input_audio",
        "input_file",
        "image",
        "document",
        "file",
        "video_url",
        "computer_screenshot",
        "container_upload",
    }
)
_HOLDS = ("source", "image_url", "file", "file_data", "file_id", "file_url", "input_audio", "video_url")
"""Where such a part has what it is about, or says where that is."""
_INLINE = re.compile(r"\s*data:[^,]{0,200};base64,", re.IGNORECASE)
_SHORT_NUMBER = 6


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to a model, read. `value` is its body."""

    provider: str
    endpoint: str
    value: Mapping[str, Json]
    text: str

    @property
    def model(self) -> str | None:
        model = self.value.get("model")
        return model if isinstance(model, str) else None

    @property
    def streams(self) -> bool:
        return self.value.get("stream") is True


@dataclass(frozen=True, slots=True)
class Masked:
    """A masked prompt, and what stands behind its placeholders."""

    data: bytes
    values: Mapping[str, str] = field(repr=False)
    types: frozenset[str]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model asks its caller to run. `arguments` is JSON text as the model wrote it."""

    name: str
    arguments: str


def prompt_of(head: Head, body: Body | Counted) -> Prompt | None:
    """The prompt in a request, or `None` where it is none. Raises `UnreadableBody`."""
    path = f"/{'/'.join(wire.segments(head.path, True))}".lower()  # as the upstream decodes it
    endpoint = next((one for one in sorted(SHAPES, key=len, reverse=True) if path.endswith(one)), None)
    if endpoint is None or head.method != "POST":
        return None
    if head.header("content-encoding") not in (None, "identity"):
        raise UnreadableBody("a prompt must be sent unpacked")
    try:
        value = body.json if isinstance(body, Body) else None
    except Unparsed:
        value = None
    if not isinstance(value, Mapping) or isinstance(body, Counted):
        raise UnreadableBody("a prompt must be a JSON object of one meaning, and not too large to be looked into")
    return Prompt(SHAPES[endpoint], endpoint, value, body.data.decode("utf-8"))


def kept(head: Head) -> Prompt | None:
    """What stands for the prompt where an answer is fetched later: of the background, or kept by the provider."""
    path = f"/{'/'.join(wire.segments(head.path, True))}".lower()
    endpoint = next((one for one in ("/chat/completions", "/responses") if f"{one}/" in path), None)
    if endpoint is None and "/conversations/" in path:
        endpoint = "/responses"
    return None if endpoint is None else Prompt(SHAPES[endpoint], endpoint, {}, "")


def route(prompt: Prompt) -> Route:
    """The operation of a prompt, with what policy is told of it."""
    facts: dict[str, Json] = {"provider": prompt.provider}
    if prompt.model is not None:
        facts["model"] = prompt.model
    if tools := sorted(set(offered(prompt.value))):
        facts["tools"] = tools
    return Route(OPERATION, None, {}, facts)


def offered(value: Mapping[str, Json]) -> Iterator[str]:
    """The names of the tools that a prompt offers to its model."""
    tools = value.get("tools")
    for one in tools if isinstance(tools, list) else ():
        if not isinstance(one, Mapping):
            continue
        inner = one.get("function")
        name = inner.get("name") if isinstance(inner, Mapping) else one.get("name", one.get("type"))
        if isinstance(name, str):
            yield name


def mask(prompt: Prompt, cleaner: Cleaner, key: bytes, pass_unreadable: bool) -> Masked:
    """The prompt with what policy masks replaced. Raises `Unreadable` where a part of it cannot be looked into."""
    if not pass_unreadable and any(_opaque(prompt.value)):
        raise Unreadable("the prompt holds a picture, a sound or a file, and prompts to this resource are masked")
    made: dict[str, str] = {}
    types: set[str] = set()

    def stand(entity: str, value: str) -> str:
        types.add(entity)
        return placeholder(entity, value, key, made)

    def change(kind: str, value: str, path: Sequence[str]) -> str | None:
        if not _is_callers(path) and (kind != "string" or _is_structure(path, value)):
            return None
        if kind == "number" and len(value) < _SHORT_NUMBER:
            return None
        context = Context(path[-1] if path else None, tuple(path[:-1]))
        shown = whole(value) if kind == "number" else value
        swapped = cleaner.swap(shown, stand, lambda one: PLACEHOLDER.fullmatch(one) is not None, context)
        return None if swapped == shown else swapped

    try:
        data = json_swapped(prompt.text, change).encode("utf-8")
    except Exception as error:
        raise LensFailed("the prompt could not be masked, so it was not sent; see the log") from error
    return Masked(data, made, frozenset(types))


def _is_callers(path: Sequence[str]) -> bool:
    """Whether names and types of values are here as a tool has them, and not as the API does (threat E1)."""
    return "input" in path[1:] or path[:1] == ("metadata",)


def _is_structure(path: Sequence[str], value: str) -> bool:
    return bool(path) and path[-1] in _STRUCTURE and _OWN_WORD.fullmatch(value) is not None


def placeholder(entity: str, value: str, key: bytes, made: dict[str, str]) -> str:
    """The placeholder of a value. Where two values of one request would share one, it is made longer."""
    digest = hmac.digest(key, b"consentry prompt v1\n" + entity.encode() + b"\0" + value.encode("utf-8"), "sha256")
    letters = base64.b32encode(digest).decode("ascii").lower().rstrip("=")
    for length in range(_SHORTEST_NAME, 27):
        text = f"<{entity}_{letters[:length]}>"
        if made.setdefault(text, value) == value:
            return text
    raise LensFailed("two values have the same placeholder")


def _opaque(value: Json) -> Iterator[bool]:
    """Whether parts of a prompt are data that is no text."""
    if isinstance(value, str):
        if _INLINE.match(value):
            yield True
    elif isinstance(value, Mapping):
        kind = value.get("type")
        if isinstance(kind, str) and kind in _OPAQUE and any(value.get(name) is not None for name in _HOLDS):
            yield True
        for item in value.values():
            yield from _opaque(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _opaque(item)


def revealed(text: str, values: Mapping[str, str], *, in_json: bool = False) -> str:
    """A text with its placeholders taken back; `in_json` where it is JSON text itself."""

    def back(found: re.Match[str]) -> str:
        value = values.get(found[0])
        if value is None:
            return found[0]
        return orjson.dumps(value).decode("utf-8")[1:-1] if in_json else value

    return PLACEHOLDER.sub(back, text)


def tool_calls(
    actor: Actor, upstream: Upstream, prompt: Prompt, calls: Sequence[ToolCall], answered: str, look: Look | None
) -> tuple[Action, Facts]:
    """The tool calls of an answer as an action of its own: what the model wants to be run, before anybody runs it."""
    asked: list[Json] = []
    for one in calls:
        try:
            arguments: Json = orjson.loads(one.arguments) if one.arguments else {}
        except orjson.JSONDecodeError:
            arguments = one.arguments
        asked.append({"name": one.name, "arguments": arguments if look is None else lens.cover(arguments, look)})
    found: list[str] = []
    if look is not None:
        found = [kind for text in texts(asked) if len(text) > 3 for kind in look.types(text)]
    values: dict[str, Json] = {
        "lens": "llm.tools",
        "provider": prompt.provider,
        "server": upstream.resource,
        "tools": sorted({one.name for one in calls}),
        "findings": {"total": len(found), "types": sorted(set(found)), "scanned": look is not None},
    }
    if prompt.model is not None:
        values["model"] = prompt.model
    arguments = {"in_answer_to": answered, "tool_calls": asked}
    return Action(actor, OPERATION, upstream.resource, arguments), Facts(values)
