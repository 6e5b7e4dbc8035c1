"""HTTP on the wire: request lines and headers to one meaning, or to a refusal; which headers go on. No I/O.

RFC 9110 and 9112, read strictly. What two readers could read differently is refused, never mended (threat H8): a door
that cleans a request up judges another one than the upstream gets.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl, unquote_plus, unquote_to_bytes, urlencode

from consentry.doors.http.errors import Ambiguous, MethodRefused

Headers = tuple[tuple[str, str], ...]
"""Names in lower case, values as they were sent (ISO 8859-1), in their order."""
RawHeaders = tuple[tuple[bytes, bytes], ...]
Parameters = tuple[tuple[str, str], ...]

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
OVERRIDES = frozenset(
    {
        "x-http-method-override",
        "x-http-method",
        "x-method-override",
        "x-original-url",
        "x-rewrite-url",
        "x-original-uri",
        "x-override-url",
    }
)
"""Headers by which some frameworks take another method or path than that of the request line."""
SAID_OF_CALLERS = frozenset(
    {
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-host",
        "x-http-host-override",
        "x-original-host",
        "x-remote-user",
        "x-authenticated-user",
        "client-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
    }
)
"""What only a proxy may say of a caller: dropped, with everything that begins with `x-forwarded-`."""
ONCE = frozenset(
    {
        "host",
        "content-length",
        "transfer-encoding",
        "content-type",
        "content-encoding",
        "authorization",
        "expect",
        "upgrade",
        "range",
        "x-api-key",
        "api-key",
    }
)
UNBOUND = frozenset(
    {
        "accept-encoding",
        "accept-language",
        "baggage",
        "content-length",
        "date",
        "dnt",
        "expect",
        "host",
        "idempotency-key",
        "priority",
        "request-id",
        "sec-gpc",
        "traceparent",
        "tracestate",
        "user-agent",
        "x-amzn-trace-id",
        "x-correlation-id",
        "x-request-id",
    }
)
"""Headers that differ between repeats of the same call and do not change what it does; not part of the action."""
NOT_GIVEN_BACK = HOP_BY_HOP | {
    "alt-svc",
    "clear-site-data",
    "nel",
    "public-key-pins",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "strict-transport-security",
    "www-authenticate",
}
"""Headers of answers that speak for the upstream's host, which is not the one that the caller sees."""

ABOUT_ITSELF = frozenset(
    {"cache-control", "content-encoding", "content-length", "content-type", "date", "expires", "last-modified", "vary"}
)
"""Headers of answers that repeat nothing of a request."""

_METHOD = re.compile(r"[A-Z][A-Z-]{0,30}")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_TARGET = re.compile(r"/[!-~]*")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
_REFUSED_METHODS = frozenset({"CONNECT", "TRACE", "TRACK", "PRI"})
_OVERRIDING = re.compile(r"\s*[_.\[](?:http)?method(?:\[.*)?", re.IGNORECASE)
"""Names of parameters that override the method, in the spellings that PHP takes for `_`."""
_FORM_OVERRIDING = re.compile(rb"(?:[&;]|name\*?\s*=\s*\"?)\s*[_.\[]method\s*[\[=\"\r;]", re.IGNORECASE)
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
LONGEST_NAME = 256
LONGEST_KEPT = 1 << 12
MANY_KEPT = 512
"""What was read of headers is known again for so many, where they are no longer than that."""
_LONGEST_TARGET = 16_384


@dataclass(frozen=True)
class Head:
    """A request without its body, exactly as it came. `target` is what stands after the method, `/` first."""

    method: str
    target: str
    headers: Headers
    short: bool = False
    """Whether what is read of the headers may be kept for the next request with the same ones."""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def parameters(self) -> Parameters:
        """The query, decoded, in its order."""
        return _parameters(self.query) if "?" in self.target else ()

    def header(self, name: str) -> str | None:
        """The first value of a header; those of `ONCE` have no other."""
        for one, value in self.headers:
            if one == name:
                return value
        return None

    @property
    def media(self) -> str:
        """The media type of the body, without parameters."""
        return media_type(self.header("content-type"))

    @property
    def is_websocket(self) -> bool:
        for name, value in self.headers:
            if name == "upgrade":
                return value.lower() == "websocket"
        return False


@lru_cache(maxsize=1024)
def _parameters(query: str) -> Parameters:
    return tuple(parse_qsl(query, keep_blank_values=True))


def media_type(header: str | None) -> str:
    """`application/json` of `Application/JSON; charset=utf-8`."""
    return (header or "").partition(";")[0].strip().lower()


def read(method: str, target: str, raw: Iterable[tuple[bytes, bytes]], *, encoded_slash: bool = False) -> Head:
    """A request's head, with one meaning. Raises `Ambiguous`, `MethodRefused`."""
    if method in _REFUSED_METHODS or not _METHOD.fullmatch(method):
        raise MethodRefused("this method does not go through a door")
    check_target(target, encoded_slash)
    headers = tuple(raw)
    if sum([len(name) + len(value) for name, value in headers]) > LONGEST_KEPT:
        return Head(method, target, _read_headers.__wrapped__(headers))
    return Head(method, target, _read_headers(headers), True)


@lru_cache(maxsize=MANY_KEPT)
def _read_headers(raw: RawHeaders) -> Headers:
    """Headers that are told apart and allowed. A caller sends nearly the same ones with each request."""
    headers = tuple([(lower(name), value.decode("latin-1")) for name, value in raw])
    check_headers(headers)
    return headers


_SPELLED = {
    spelling.encode(): name
    for name in ("content-type", "content-length", "date", "server", "cache-control", "etag", "vary", "connection")
    for spelling in (name, name.title())
}
"""Names of headers that nearly every answer has."""


@lru_cache(maxsize=2048)
def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()


def lower(name: bytes) -> str:
    """The name of a header as it is compared."""
    return _lower(name) if len(name) <= LONGEST_NAME else _lower.__wrapped__(name)


@lru_cache(maxsize=4096)
def check_target(target: str, encoded_slash: bool) -> None:
    """Refuse a target that is not in origin form, or whose path could be normalised into another.

    Nothing is mended: the target goes on exactly as it came. Raises `Ambiguous`.
    """
    if not _TARGET.fullmatch(target) or "#" in target or len(target) > _LONGEST_TARGET:
        raise Ambiguous("the request's target must be a path and perhaps a query, in visible ASCII")
    path, _, query = target.partition("?")
    segments(path, encoded_slash)
    if any(_OVERRIDING.fullmatch(unquote_plus(one.partition("=")[0])) for one in re.split("[&;]", query)):
        raise Ambiguous("the query would override the method: send the method that you mean")


@lru_cache(maxsize=4096)
def segments(path: str, encoded_slash: bool) -> tuple[str, ...]:
    """The path's segments, decoded once; a slash at the end makes none. Raises `Ambiguous`."""
    if "\\" in path or ";" in path:
        raise Ambiguous("the path holds `\\` or `;`, which servers read differently")
    if _ESCAPE.search(path):
        raise Ambiguous("the path holds a `%` that escapes nothing")
    parts = path[1:].split("/")
    if parts[-1] == "":
        parts.pop()
    return tuple(_segment(part, encoded_slash) for part in parts)


def _segment(raw: str, encoded_slash: bool) -> str:
    if not raw:
        raise Ambiguous("the path holds `//`, which servers read differently")
    data = re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), raw.encode("ascii"))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Ambiguous("the path escapes bytes that are not UTF-8") from None
    if text in (".", "..") or text.startswith(("..;", ".;")):
        raise Ambiguous("the path holds `.` or `..`: send the path that you mean")
    if _ESCAPED.search(text):
        raise Ambiguous("the path is escaped twice: send the path that you mean")
    if any(ord(one) < 0x20 or ord(one) == 0x7F for one in text) or "\\" in text or ";" in text:
        raise Ambiguous("the path escapes a character that servers read differently")
    if "/" in text and not encoded_slash:
        raise Ambiguous("the path holds an escaped slash: allow it with `http.encoded_slash`, if the upstream needs it")
    return text


def check_headers(headers: Headers) -> None:
    """Refuse framing that two readers could read differently, and headers that override. Raises `Ambiguous`."""
    seen: set[str] = set()
    for name, value in headers:
        plain = name.replace("_", "-") if "_" in name else name
        if not _plain_header(name):
            raise Ambiguous("a header's name holds a character that it cannot")
        if plain in OVERRIDES:
            raise Ambiguous(f"`{plain}` would override the request line: send the method and path that you mean")
        if plain != name and (plain in ONCE or plain in HOP_BY_HOP or plain in SAID_OF_CALLERS or _is_said(plain)):
            raise Ambiguous(f"a header is spelled like `{plain}`, which servers take for it")
        if plain in seen and plain in ONCE:
            raise Ambiguous(f"the `{plain}` header is there twice")
        seen.add(plain)
        if "\r" in value or "\n" in value or "\0" in value:
            raise Ambiguous(f"the `{plain}` header holds a line's end")
    if "host" not in seen:
        raise Ambiguous("the `host` header is missing")
    if not seen.isdisjoint(_FRAMING):
        _check_framing(dict(headers), seen)


def check_version(version: str, raw_headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Refuse other versions than HTTP/1.1 and 1.0, and chunks in 1.0 (RFC 9112, section 6.1). Raises `Ambiguous`."""
    if version == "1.1":
        return
    if version != "1.0" or any(name.lower() == b"transfer-encoding" for name, _ in raw_headers):
        raise Ambiguous("the request is neither of HTTP/1.1 nor, without chunks, of HTTP/1.0")


_FRAMING = frozenset({"content-length", "transfer-encoding", "upgrade", "expect"})


@lru_cache(maxsize=2048)
def _plain_header(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _is_said(name: str) -> bool:
    return name.startswith("x-forwarded")


def _check_framing(headers: dict[str, str], seen: set[str]) -> None:
    length = headers.get("content-length")
    if length is not None and not (length.isascii() and length.isdecimal() and len(length) <= 18):
        raise Ambiguous("`content-length` must be one decimal number")
    coding = headers.get("transfer-encoding")
    if coding is not None and coding.strip().lower() != "chunked":
        raise Ambiguous("`transfer-encoding` must be `chunked`")
    if coding is not None and length is not None:
        raise Ambiguous("`content-length` and `transfer-encoding` cannot both say where the body ends")
    if headers.get("upgrade", "websocket").lower() != "websocket":
        raise Ambiguous("only an upgrade to `websocket` goes through a door")
    if headers.get("expect", "100-continue").lower() != "100-continue":
        raise Ambiguous("`expect` must be `100-continue`")


# Which headers go on.


def nominated(headers: Headers) -> frozenset[str]:
    """What the `Connection` header says is for this connection only."""
    found = [value for name, value in headers if name == "connection"]
    return frozenset([part.strip().lower() for value in found for part in value.split(",")]) if found else _NONE


_NONE: frozenset[str] = frozenset()


def passed_on(head: Head, *, ours: frozenset[str], cookies: bool) -> Headers:
    """The caller's headers as the upstream gets them, but for `Host` and framing.

    Not among them: what belongs to the connection, what only proxies say, whatever the gate sets itself (`ours`, with
    the caller's token), and cookies unless they may pass.
    """
    passed = _passed_on if head.short else _passed_on.__wrapped__
    return passed(head.headers, ours, cookies)


@lru_cache(maxsize=MANY_KEPT)
def _passed_on(headers: Headers, ours: frozenset[str], cookies: bool) -> Headers:
    left_out, taken = nominated(headers), {one.replace("_", "-") for one in ours}
    result = []
    for name, value in headers:
        if name in _NEVER or name in left_out or name.startswith("x-forwarded"):
            continue
        if name.replace("_", "-") in taken:  # many servers take both spellings for one
            continue
        if name == "cookie" and not cookies:
            continue
        if name == "prefer":
            value = _prefer(value)
            if not value:
                continue
        result.append((name, value))
    return tuple(result)


_WEBSOCKET = frozenset({"sec-websocket-key", "sec-websocket-version", "sec-websocket-extensions"})
_NEVER = HOP_BY_HOP | SAID_OF_CALLERS | _WEBSOCKET | {"host", "content-length", "expect"}


def _prefer(value: str) -> str:
    """What is left of a `Prefer` header (RFC 7240) without the preferences that the door itself answers."""
    kept = [part.strip() for part in value.split(",") if preference(part) not in ("respond-async", "wait")]
    return ", ".join(kept)


def preference(part: str) -> str:
    return part.partition(";")[0].partition("=")[0].strip().lower()


def wants_async(head: Head) -> bool:
    """Whether the caller rather comes back than waits (RFC 7240, section 4.1)."""
    prefer = [value for name, value in head.headers if name == "prefer"]
    return any(preference(part) == "respond-async" for value in prefer for part in value.split(","))


def bound(headers: Headers, unbound: frozenset[str], *, short: bool = False) -> dict[str, str]:
    """Of the headers that go on, those that are part of the action. Several of one name are joined by their order."""
    return dict((_bound if short else _bound.__wrapped__)(headers, unbound))


@lru_cache(maxsize=MANY_KEPT)
def _bound(headers: Headers, unbound: frozenset[str]) -> Mapping[str, str]:
    result: dict[str, str] = {}
    for name, value in headers:
        if name in UNBOUND or name in unbound or name.startswith("x-stainless-"):
            continue
        result[name] = f"{result[name]}, {value}" if name in result else value
    return result


def given_back(headers: Iterable[tuple[bytes, bytes]], *, cookies: bool) -> list[tuple[str, str]]:
    """An upstream's headers as the caller gets them."""
    pairs = tuple([(_SPELLED.get(name) or lower(name), value.decode("latin-1")) for name, value in headers])
    left_out = nominated(pairs)
    result = []
    for name, value in pairs:
        if name in NOT_GIVEN_BACK or name in left_out:
            continue
        if name == "set-cookie" and (not cookies or "consentry" in value.partition("=")[0].lower()):
            continue
        result.append((name, value))
    return result


async def checked(head: Head, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The body, as long as it is no form that overrides the method, as some frameworks take it. Raises `Ambiguous`."""
    left = b"&"
    async for piece in body:
        if head.media in _FORMS:
            text = left + piece
            if _FORM_OVERRIDING.search(unquote_to_bytes(text.replace(b"+", b" "))):
                raise Ambiguous("the form would override the method: send the method that you mean")
            left = text[-LONGEST_NAME:]
        yield piece


def without_secrets(headers: Iterable[tuple[str, str]], secrets: Collection[str]) -> list[tuple[str, str]]:
    """Headers without what the gate has added: upstreams repeat a request in `Location`, `Link` and others."""
    if not secrets:
        return list(headers)
    result = []
    for name, value in headers:
        for secret in secrets if name not in ABOUT_ITSELF else ():
            if secret in value:
                value = value.replace(secret, "")
        result.append((name, value))
    return result


def with_query(target: str, extra: tuple[tuple[str, str], ...]) -> str:
    """The target with the gate's own parameters behind it."""
    if not extra:
        return target
    return f"{target}{'&' if '?' in target else '?'}{urlencode(extra)}"
