"""The lens of the HTTP door: a request to an action's arguments and to facts. Pure.

The arguments are exact: method, origin, target as it came, the headers that go on and matter, the body's hash; and the
body itself where it is small, so that people see what they decide on. Secrets in that copy are covered: the hash
binds them, and nobody needs to read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol
from urllib.parse import unquote_plus, urlsplit

from consentry.actions import Json
from consentry.actions.texts import texts
from consentry.doors.errors import LensFailed
from consentry.doors.http import wire
from consentry.doors.http.body import Body, Counted, Unparsed
from consentry.doors.http.config import Upstream
from consentry.doors.http.routing import Route
from consentry.doors.http.wire import Head, Headers
from consentry.policy.model import Facts

SECRET = "SECRET"  # noqa: S105 (the name of an entity type)
WEBSOCKET = "WEBSOCKET"
"""What `method` says of a connection that goes on in both directions: it is no read."""
_TEXT = ("text/", "application/x-www-form-urlencoded", "application/xml", "application/graphql")
_SCANNED_HEADERS = frozenset({"accept", "content-type", "content-encoding", "connection", "cache-control", "pragma"})


class Look(Protocol):
    """What looks into texts."""

    def types(self, text: str) -> tuple[str, ...]:
        """The entity type of each finding."""

    def cover(self, text: str) -> str:
        """The text with its secrets covered."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the lens read it."""

    arguments: Mapping[str, Json]
    facts: Facts


def read(
    upstream: Upstream,
    head: Head,
    headers: Headers,
    body: Body | Counted,
    route: Route,
    look: Look | None,
    more: Mapping[str, Json] | None = None,
) -> Seen:
    """Arguments and facts of a request. Without `look`, nobody looked, and facts say so. Raises `LensFailed`."""
    websocket = head.is_websocket
    arguments: dict[str, Json] = {
        "method": head.method,
        "origin": upstream.origin,
        "target": upstream.base + head.target,
    }
    if bound := wire.bound(headers, upstream.unbound_headers, short=head.short):
        arguments["headers"] = bound
    if websocket:
        arguments["upgrade"] = "websocket"
    shown: Json = None
    if isinstance(body, Counted):
        arguments["body"] = {"bound": False}
    elif body.size:
        shown = _shown(head, body, upstream.shown_body)
        arguments["body"] = {"sha256": body.sha256, "bytes": body.size, **_covered(shown, look)}
    if route.tool is not None:
        arguments["called"] = route.tool
    if route.parameters:
        arguments["parameters"] = dict(route.parameters)
    if more:
        arguments["resolved"] = dict(more)
    values: dict[str, Json] = {
        "lens": "http",
        "method": WEBSOCKET if websocket else head.method,
        "host": _host(upstream.origin),
        "path": upstream.base + head.path,
        "server": upstream.resource,
    }
    if route.tool is not None:
        values["tool"] = route.tool
    if isinstance(body, Body) and body.size:
        values["bytes"] = body.size
    values |= _findings(upstream, head, bound, body, look)
    return Seen(arguments, Facts(values | dict(route.facts)))


@lru_cache(maxsize=256)
def _host(origin: str) -> str:
    return urlsplit(origin).hostname or origin


def _shown(head: Head, body: Body, limit: int) -> dict[str, Json]:
    """The body for people, where it is small and text."""
    if not body.in_memory or body.size > limit or head.header("content-encoding") not in (None, "identity"):
        return {}
    try:
        return {"json": body.json}
    except Unparsed:
        pass
    try:
        return {"text": body.data.decode("utf-8")}
    except UnicodeDecodeError:
        return {}


def _covered(shown: dict[str, Json], look: Look | None) -> dict[str, Json]:
    if look is None or not shown:
        return shown
    try:
        return {name: cover(value, look) for name, value in shown.items()}
    except Exception as error:
        raise LensFailed("the body could not be looked into, so the request is denied; see the log") from error


def cover(value: Json, look: Look) -> Json:
    """A JSON value with the secrets in its texts covered."""
    if isinstance(value, str):
        return look.cover(value) if len(value) > 7 else value
    if isinstance(value, Mapping):
        return {key: cover(item, look) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [cover(item, look) for item in value]
    return value


def _findings(
    upstream: Upstream, head: Head, bound: Mapping[str, str], body: Body | Counted, look: Look | None
) -> dict[str, Json]:
    """What is in the target, the headers and the body. `scanned` is true only where all of it was looked at."""
    if look is None:
        return {"findings": {"total": 0, "types": [], "scanned": False}}
    found: list[str] = []
    left, whole = upstream.scan_limit, True
    try:
        for text in _texts(head, bound, body):
            if text is None:
                whole = False
                continue
            left -= len(text)
            if left < 0:
                whole = False
                break
            if len(text) > 3 and not text.isalpha():
                found += look.types(text)
    except Exception as error:
        raise LensFailed("the request could not be scanned, so it is denied; see the log") from error
    result: dict[str, Json] = {"findings": {"total": len(found), "types": sorted(set(found)), "scanned": whole}}
    if secrets := found.count(SECRET):
        result["secrets"] = secrets
    return result


_unescaped = lru_cache(maxsize=1024)(unquote_plus)


def _texts(head: Head, bound: Mapping[str, str], body: Body | Counted) -> Iterator[str | None]:
    """Every text of a request; `None` for what cannot be read."""
    yield _unescaped(head.target) if len(head.target) <= wire.LONGEST_KEPT else unquote_plus(head.target)
    for name, value in bound.items():
        if name not in _SCANNED_HEADERS:
            yield value
    if isinstance(body, Counted) or not body.in_memory:
        yield None
        return
    if not body.size:
        return
    if head.header("content-encoding") not in (None, "identity"):
        yield None
        return
    try:
        yield from texts(body.json)
        return
    except Unparsed:
        pass
    try:
        text = body.data.decode("utf-8")
    except UnicodeDecodeError:
        yield None
        return
    yield unquote_plus(text) if head.media == "application/x-www-form-urlencoded" else text
    if not (head.media.startswith(_TEXT) or head.media in ("", "application/json") or head.media.endswith("+json")):
        yield None
