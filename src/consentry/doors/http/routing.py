"""Which operation a request is: the first rule that fits its method, path, query and body. Pure.

A rule that names a part of the body decides nothing where the body cannot be read: then the request is refused, since
another reader might find there what we did not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from consentry.actions import Json, JsonObject
from consentry.doors.http import wire
from consentry.doors.http.body import Body, Counted, Unparsed
from consentry.doors.http.config import Rule, Upstream
from consentry.doors.http.errors import UnknownOperation, UnreadableBody
from consentry.doors.http.patterns import PathPattern
from consentry.doors.http.wire import Head
from consentry.errors import InvalidInput

UNKNOWN = "http.request"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch")


class InvalidDocument(InvalidInput):
    """The OpenAPI document cannot be used; the message says where."""

    code = "invalid_settings"


@dataclass(frozen=True, slots=True)
class Route:
    """What a request was found to be. `parameters` are the named parts of the path, `facts` those of the rule."""

    operation: str
    tool: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)


def binds_body(upstream: Upstream, head: Head) -> bool:
    """Whether the body has to be read before the request is judged. Only a rule can say no."""
    for rule, _ in _candidates(upstream, head):
        return rule.binds_body
    return True


def route(upstream: Upstream, head: Head, body: Body | Counted) -> Route:
    """What the request is. Raises `UnreadableBody`, `UnknownOperation`."""
    if not upstream.rules and not upstream.only_known:
        return _NO_RULE
    for rule, parameters in _candidates(upstream, head):
        if rule.body and not _body_fits(rule, body):
            continue
        facts = {name: value for name, one in rule.facts.items() if (value := _fact(one, parameters, head, body)) != ""}
        return Route(rule.operation, rule.tool, parameters, facts)
    if upstream.only_known:
        raise UnknownOperation("no rule of this resource names this method and path")
    return _NO_RULE


_NO_RULE = Route(UNKNOWN)


def _candidates(upstream: Upstream, head: Head) -> Iterable[tuple[Rule, Mapping[str, str]]]:
    if not upstream.rules:
        return
    segments = wire.segments(head.path, upstream.encoded_slash)
    for rule in upstream.rules:
        if rule.methods and head.method not in rule.methods:
            continue
        parameters = rule.path.match(segments, ignore_case=upstream.ignore_case)
        if parameters is not None and _query_fits(rule, head):
            yield rule, parameters


def _query_fits(rule: Rule, head: Head) -> bool:
    return all(
        any(name == wanted and expected in ("*", value) for name, value in head.parameters)
        for wanted, expected in rule.query.items()
    )


def _body_fits(rule: Rule, body: Body | Counted) -> bool:
    value = _json(body)
    for pointer, expected in rule.body.items():
        found, one = look(value, pointer)
        if not found or (expected != "*" and one != expected):
            return False
    return True


def _json(body: Body | Counted) -> Json:
    try:
        if isinstance(body, Body):
            return body.json
    except Unparsed:
        pass
    raise UnreadableBody("a rule depends on the body, which must be JSON of one meaning, in clear and not too large")


def look(value: Json, pointer: str) -> tuple[bool, Json]:
    """Whether there is something at a JSON pointer (RFC 6901), and what."""
    for raw in pointer.split("/")[1:]:
        key = raw.replace("~1", "/").replace("~0", "~")
        if isinstance(value, Mapping) and key in value:
            value = value[key]
        elif isinstance(value, list | tuple) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return False, None
    return True, value


def _fact(one: Json, parameters: Mapping[str, str], head: Head, body: Body | Counted) -> Json:
    """A constant, or what a template names; `""` where there is nothing of the kind."""
    if isinstance(one, list | tuple):
        return [value for item in one if (value := _fact(item, parameters, head, body)) != ""]
    if not isinstance(one, str) or not (one.startswith("{") and one.endswith("}")):
        return one
    name = one[1:-1]
    if name.startswith("?"):
        return next((value for key, value in head.parameters if key == name[1:]), "")
    if name.startswith("/"):
        found, value = look(_json(body), name)
        return value if found and value is not None else ""
    return parameters.get(name, "")


def rules_of(document: JsonObject) -> tuple[Rule, ...]:
    """Rules from an OpenAPI document: one for each operation, longest literal paths first.

    `x-consentry-operation` and `x-consentry-facts` of an operation say what it is to policy; without them it is
    `http.request`, and its `operationId` the fact `tool`. Raises `InvalidDocument`.
    """
    paths = document.get("paths")
    if not isinstance(paths, Mapping):
        raise InvalidDocument("the OpenAPI document has no `paths`")
    prefix = _prefix(document)
    found = []
    for path, item in paths.items():
        if not isinstance(item, Mapping):
            continue
        pattern = PathPattern.parse(prefix + path)
        for method in METHODS:
            operation = item.get(method)
            if isinstance(operation, Mapping):
                found.append(_rule(pattern, method, operation))
    found.sort(key=lambda one: [part.name is not None for part in one.path.parts])
    return tuple(found)


def _prefix(document: JsonObject) -> str:
    """The path of the first server, where it has one: rules are about whole paths."""
    from urllib.parse import urlsplit

    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else None
    url = first.get("url") if isinstance(first, Mapping) else None
    return urlsplit(url).path.rstrip("/") if isinstance(url, str) and "{" not in url else ""


def _rule(pattern: PathPattern, method: str, operation: JsonObject) -> Rule:
    name = operation.get("x-consentry-operation", UNKNOWN)
    facts = operation.get("x-consentry-facts", {})
    tool = operation.get("operationId")
    if not isinstance(name, str) or not isinstance(facts, Mapping):
        raise InvalidDocument(f"`{method} {pattern.text}` has an `x-consentry-…` member of the wrong type")
    rule = Rule(name, pattern, frozenset({method.upper()}), facts=facts)
    return replace(rule, tool=tool) if isinstance(tool, str) else rule
