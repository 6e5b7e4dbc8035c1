"""The lens of the MCP door: a tool call and the tool's definition to an action's arguments and facts. Pure.

What a server says of its tools is the server's word. The definition is pinned by hash; its annotations
(`readOnlyHint`, `destructiveHint`, …) are never believed (threat H5): whether a tool is gentle is the operator's word.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from consentry.actions import Json, JsonObject, NotExact, Operand, canonical
from consentry.actions.texts import texts
from consentry.doors.errors import LensFailed
from consentry.doors.mcp.config import Server
from consentry.policy.model import Facts

OPERATION = "mcp.tool.call"
SAMPLING = "llm.prompt"
SECRET = "SECRET"  # noqa: S105 (the name of an entity type)
PATHS = frozenset({"path", "file", "filename", "filepath", "file_path", "directory", "dir"})

Types = Callable[[str], Sequence[str]]
"""A text to the entity type of each finding in it."""


def definition_hash(definition: JsonObject) -> str:
    """SHA-256 over the whole definition as the server gave it, in canonical form. Raises `LensFailed`."""
    try:
        return hashlib.sha256(b"consentry mcp tool v1\n" + canonical(definition, what="tool")).hexdigest()
    except NotExact:
        raise LensFailed("the tool's definition has no exact form, so it cannot be pinned: ask its makers") from None


def operand(server: Server, tool: str, definition: JsonObject) -> Operand:
    """The definition as something mutable that the action refers to (threat B9)."""
    return Operand(f"mcp:{server.resource}/{tool}", definition_hash(definition))


def facts(server: Server, tool: str, definition: JsonObject, arguments: JsonObject, types: Types | None) -> Facts:
    """What policy is told of a call. Without `types`, nobody looked. Raises `LensFailed`."""
    values: dict[str, Json] = {"lens": "mcp", "server": server.resource, "tool": tool}
    if tool in server.gentle:
        values["destructive"] = False
    if tool in server.pins:
        values["tool_known"] = server.pins[tool] == definition_hash(definition)
    schema = definition.get("inputSchema")
    values |= _places(schema if isinstance(schema, Mapping) else {}, arguments)
    return Facts(values | _findings(arguments, types, server.scan_limit))


def sampling_facts(server: Server, params: JsonObject, types: Types | None) -> Facts:
    """What policy is told when a server asks the client's model something. Raises `LensFailed`."""
    values: dict[str, Json] = {"lens": "mcp", "server": server.resource}
    tools = params.get("tools")
    if isinstance(tools, list | tuple):
        values["tools"] = sorted({str(one.get("name")) for one in tools if isinstance(one, Mapping)})
    return Facts(values | _findings(params, types, server.scan_limit))


def listed_facts(server: Server, tool: str, definition: JsonObject) -> Facts:
    """The mildest facts that a call of this tool could have: what is denied even so is hidden from the list."""
    mild: dict[str, Json] = {"findings": {"total": 0, "types": [], "scanned": True}}
    return Facts({**facts(server, tool, definition, {}, None).values, **mild})


def _findings(value: Json, types: Types | None, limit: int) -> dict[str, Json]:
    if types is None:
        return {"findings": {"total": 0, "types": [], "scanned": False}}
    found: Counter[str] = Counter()
    left = limit
    for text in texts(value):
        left -= len(text)
        if left < 0:
            raise LensFailed("the call holds more text than is scanned: send less, or raise `sanitize.scan_bytes`")
        if len(text) > 3 and not text.isalpha():
            found.update(types(text))
    result: dict[str, Json] = {
        "findings": {"total": found.total(), "types": sorted(found), "scanned": True},
    }
    if found[SECRET]:
        result["secrets"] = found[SECRET]
    return result


def _places(schema: JsonObject, arguments: JsonObject) -> dict[str, Json]:
    """Where the call reaches, as far as the schema's formats and the arguments' names say: one host, one path."""
    hosts: set[str] = set()
    paths: set[str] = set()
    properties = schema.get("properties")
    declared = properties if isinstance(properties, Mapping) else {}
    for name, value in arguments.items():
        if not isinstance(value, str):
            continue
        one = declared.get(name)
        is_uri = isinstance(one, Mapping) and one.get("format") in ("uri", "url", "iri")
        if is_uri or value.startswith(("http://", "https://")):
            hosts |= _host(value)
        elif name.lower() in PATHS:
            paths.add(value)
    found: dict[str, Json] = {}
    if len(hosts) == 1:
        found["host"] = hosts.pop()
    if len(paths) == 1:
        found["path"] = paths.pop()
    return found


def _host(text: str) -> set[str]:
    try:
        host = urlsplit(text).hostname
    except ValueError:
        return set()
    return {host} if host else set()
