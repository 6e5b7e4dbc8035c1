"""MCP on the wire: bytes to messages and back, headers against bodies, server-sent events. No I/O.

JSON-RPC 2.0 as MCP uses it (specification 2026-07-28, "Messages"). What comes from callers is parsed exactly
(`consentry.actions.json`), since it becomes part of an action; what comes from upstreams only has to be JSON.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import orjson

from consentry.actions import Json, JsonObject, NotExact, parse
from consentry.actions.json import TooLarge
from consentry.doors.errors import UpstreamBroke
from consentry.doors.mcp.errors import HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, RpcError
from consentry.errors import InvalidInput

MODERN = "2026-07-28"
LEGACY = ("2025-11-25", "2025-06-18", "2025-03-26")
"""Revisions with an `initialize` handshake, newest first."""
SUPPORTED = (MODERN, *LEGACY)

META_VERSION = "io.modelcontextprotocol/protocolVersion"
META_CLIENT = "io.modelcontextprotocol/clientInfo"
META_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META_LOG_LEVEL = "io.modelcontextprotocol/logLevel"
META_SERVER = "io.modelcontextprotocol/serverInfo"
META_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
TASKS = "io.modelcontextprotocol/tasks"

NAMED_BY = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Which parameter the `Mcp-Name` header repeats."""

Id: TypeAlias = "str | int"


@dataclass(frozen=True, slots=True)
class Request:
    """A call that wants an answer."""

    id: Id
    method: str
    params: JsonObject = field(default_factory=dict)

    @property
    def meta(self) -> JsonObject:
        found = self.params.get("_meta")
        return found if isinstance(found, Mapping) else {}


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that wants none."""

    method: str
    params: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to a request: a result, or an error."""

    id: Id | None
    result: JsonObject | None = None
    error: RpcError | None = None


Message: TypeAlias = "Request | Notification | Response"


def read(data: bytes, *, limit: int) -> tuple[Message, ...]:
    """What a caller sent: one message, or the batch that revision 2025-03-26 allowed. Raises `RpcError`."""
    try:
        value = parse(data, what="message", limit=limit)
    except (NotExact, TooLarge) as error:
        raise RpcError(INVALID_REQUEST, str(error), http_status=error.status) from None
    except InvalidInput as error:
        raise RpcError(PARSE_ERROR, str(error)) from None
    if isinstance(value, list):
        if not value:
            raise RpcError(INVALID_REQUEST, "a batch must hold a message")
        return tuple(map(message, value))
    return (message(value),)


def read_upstream(data: bytes | str) -> Message:
    """What an upstream sent. Raises `UpstreamBroke` for what is no message."""
    try:
        return message(orjson.loads(data))
    except (orjson.JSONDecodeError, RecursionError):
        raise UpstreamBroke("the upstream server sent something that is not JSON") from None
    except RpcError:
        raise UpstreamBroke("the upstream server sent JSON that is no message of the protocol") from None


def message(value: Json) -> Message:
    """One JSON-RPC message. Raises `RpcError`."""
    if not isinstance(value, Mapping) or value.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, "`jsonrpc` must be `2.0`")
    if "method" not in value:
        return _response(value)
    method, params = value["method"], value.get("params", {})
    if not isinstance(method, str) or not isinstance(params, Mapping):
        raise RpcError(INVALID_REQUEST, "`method` must be a string and `params` an object")
    if not isinstance(params.get("_meta", {}), Mapping):
        raise RpcError(INVALID_REQUEST, "`params._meta` must be an object")
    if "id" not in value:
        return Notification(method, params)
    return Request(_id(value["id"]), method, params)


def _response(value: JsonObject) -> Response:
    one_id = value.get("id")
    error, result = value.get("error"), value.get("result")
    if isinstance(error, Mapping) and "result" not in value:
        number, text = error.get("code"), error.get("message")
        if type(number) is int and isinstance(text, str):
            return Response(None if one_id is None else _id(one_id), error=RpcError(number, text, error.get("data")))
    elif isinstance(result, Mapping) and "error" not in value:
        return Response(_id(one_id), result)
    raise RpcError(INVALID_REQUEST, "a message must be a request, a notification or a response")


def _id(value: Json) -> Id:
    if isinstance(value, str) or type(value) is int:
        return value
    raise RpcError(INVALID_REQUEST, "`id` must be a string or an integer")


def encode(one: Message) -> bytes:
    """The bytes of a message, in one line."""
    body: dict[str, Json] = {"jsonrpc": "2.0"}
    if isinstance(one, Request):
        body |= {"id": one.id, "method": one.method, "params": one.params}
    elif isinstance(one, Notification):
        body |= {"method": one.method, "params": one.params}
    elif one.error is not None:
        body |= {"id": one.id, "error": one.error.to_json()}
    else:
        body |= {"id": one.id, "result": one.result}
    return dump(body)


def dump(value: Json) -> bytes:
    """JSON in one line. Integers of an upstream that are too long for the fast writer take the slow one."""
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain).encode("utf-8", "replace")


def _plain(value: object) -> dict[str, Json]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError("not JSON")


# Headers that repeat the body (specification 2026-07-28, "Request Metadata").


def check_headers(headers: Iterable[tuple[bytes, bytes]], request: Request, *, modern: bool) -> None:
    """Refuse headers that say something else than the body (threat H5). Raises `RpcError`.

    The present revision asks for the headers; from earlier ones they are not needed, and still may not lie.
    """
    given = _mcp_headers(headers)
    expected = {"mcp-method": request.method}
    if (key := NAMED_BY.get(request.method)) is not None:
        name = request.params.get(key)
        if not isinstance(name, str):
            raise RpcError(INVALID_PARAMS, f"`params.{key}` must be a string")
        expected["mcp-name"] = name
    if modern:
        expected["mcp-protocol-version"] = str(request.meta.get(META_VERSION))
    for header, value in expected.items():
        if header not in given:
            if modern:
                raise RpcError(HEADER_MISMATCH, f"the `{header}` header is missing")
        elif decoded(given[header]) != value:
            raise RpcError(HEADER_MISMATCH, f"the `{header}` header is not what the body says")


def check_parameters(headers: Iterable[tuple[bytes, bytes]], schema: JsonObject, arguments: JsonObject) -> None:
    """The same for `Mcp-Param-…` headers of a tool whose schema asks for them. Raises `RpcError`."""
    given = _mcp_headers(headers)
    for header, path in parameter_headers(schema):
        value = _at(arguments, path)
        name = f"mcp-param-{header}".lower()
        if value is None:
            continue
        if name not in given:
            raise RpcError(HEADER_MISMATCH, f"the `{name}` header is missing")
        if decoded(given[name]) != _spelled(value) and not _same_number(given[name], value):
            raise RpcError(HEADER_MISMATCH, f"the `{name}` header is not what the body says")


def headers_for(request: Request, schema: JsonObject | None = None) -> dict[str, str]:
    """The headers that repeat a request of ours to an upstream of the present revision."""
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": request.method}
    if (key := NAMED_BY.get(request.method)) is not None:
        headers["Mcp-Name"] = encoded(str(request.params.get(key, "")))
    arguments = request.params.get("arguments")
    if schema is not None and isinstance(arguments, Mapping):
        for header, path in parameter_headers(schema):
            value = _at(arguments, path)
            if value is not None:
                headers[f"Mcp-Param-{header}"] = encoded(_spelled(value))
    return headers


def parameter_headers(schema: JsonObject) -> Iterable[tuple[str, tuple[str, ...]]]:
    """Header name and property path of each `x-mcp-header` that is reached by `properties` alone."""
    stack: list[tuple[Json, tuple[str, ...]]] = [(schema, ())]
    while stack:
        one, path = stack.pop()
        if not isinstance(one, Mapping) or len(path) > 16:
            continue
        name = one.get("x-mcp-header")
        if path and isinstance(name, str) and name.isascii() and name.replace("-", "").replace("_", "").isalnum():
            yield name, path
        properties = one.get("properties")
        if isinstance(properties, Mapping):
            stack.extend((item, (*path, key)) for key, item in properties.items())


def _at(arguments: JsonObject, path: tuple[str, ...]) -> Json:
    value: Json = arguments
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _spelled(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _same_number(text: str, value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return float(text) == float(value)
    except ValueError:
        return False


def encoded(value: str) -> str:
    """A value as a header: as it is where that is safe, else in the Base64 form."""
    safe = all(" " <= one <= "~" for one in value) and value == value.strip()
    if safe and not (value.startswith("=?base64?") and value.endswith("?=")):
        return value
    return f"=?base64?{base64.b64encode(value.encode('utf-8')).decode('ascii')}?="


def decoded(value: str) -> str:
    """A header's value, out of the Base64 form where it is in it. Raises `RpcError`."""
    if not (value.startswith("=?base64?") and value.endswith("?=") and len(value) >= 11):
        return value
    try:
        return base64.b64decode(value[9:-2], validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise RpcError(HEADER_MISMATCH, "a header in the Base64 form cannot be read") from None


def _mcp_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw, value in headers:
        name = raw.decode("latin-1").lower()
        if not name.startswith("mcp-"):
            continue
        if name in found:
            raise RpcError(HEADER_MISMATCH, f"the `{name}` header is there twice")
        text = value.decode("latin-1")
        if not all(" " <= one <= "~" or one == "\t" for one in text):
            raise RpcError(HEADER_MISMATCH, f"the `{name}` header holds characters that a header cannot")
        found[name] = text.strip(" \t")
    return found


# Server-sent events.


def event(one: Message, event_id: str | None = None) -> bytes:
    """A message as one server-sent event."""
    head = b"" if event_id is None else b"id: " + event_id.encode("ascii") + b"\n"
    return head + b"event: message\ndata: " + encode(one) + b"\n\n"


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a stream."""

    data: str
    id: str | None = None
    retry_ms: int | None = None


class EventReader:
    """Reads a stream of server-sent events piece by piece (WHATWG HTML, 9.2.6)."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._data: list[str] = []
        self._id: str | None = None
        self._retry: int | None = None
        self._size = 0

    def feed(self, piece: bytes) -> Iterable[Event]:
        """The events that are complete by now. Raises `UpstreamBroke` over the limit."""
        self._rest += piece
        if len(self._rest) + self._size > self._limit:
            raise UpstreamBroke("the upstream server sent an event that is too large")
        *lines, self._rest = self._rest.replace(b"\r\n", b"\n").split(b"\n")
        if self._rest.endswith(b"\r"):  # the other half of the line's end may be on its way
            pass
        for line in lines:
            found = self._line(line.rstrip(b"\r").decode("utf-8", "replace"))
            if found is not None:
                yield found

    def _line(self, line: str) -> Event | None:
        if not line:
            data, self._data, self._size = self._data, [], 0
            one, self._retry = Event("\n".join(data), self._id, self._retry), None
            return one if data or one.retry_ms is not None else None
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
            self._size += len(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isdecimal():
            self._retry = int(value)
        return None
