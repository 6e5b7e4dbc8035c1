"""Routes of the API as rows of one table: path, who may call, what goes in, what comes out, what can go wrong.

From the same rows come the routing, the check of the session, the OpenAPI document, and the test that every route
refuses the sessions that it does not take. Bodies are parsed strictly (`actions.json`), then by their model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from pydantic import BaseModel, ValidationError
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from consentry.actions.json import TooLarge, parse_object
from consentry.errors import ConsentryError, InvalidInput
from consentry.identity.errors import NotSignedIn
from consentry.identity.model import Session
from consentry.server.access import Access
from consentry.server.problems import FieldError, InvalidBody, UnsupportedMedia, invalid

if TYPE_CHECKING:
    from consentry.server.services import Services

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


@dataclass(slots=True)
class Call:
    """One call of a route: who, by which address, and the parts of the path."""

    services: Services
    scope: Scope
    path: Mapping[str, str]
    who: Session | None

    @property
    def session(self) -> Session:
        """Who calls. Raises `NotSignedIn`, which a route that is not open never sees."""
        if self.who is None:
            raise NotSignedIn("nobody is signed in: send a bearer token")
        return self.who

    @property
    def headers(self) -> Headers:
        return Headers(scope=self.scope)

    @property
    def address(self) -> str:
        """The caller's network address."""
        client = self.scope.get("client")
        return str(client[0]) if client else "local"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A row of the table.

    The handler takes the call and, where there is one, the parsed body or query. It answers with a model, with the
    model's JSON, or with a response of its own where `media` is not JSON.
    """

    method: str
    path: str
    access: Access
    handler: Callable[..., Awaitable[BaseModel | Response | bytes]]
    summary: str
    tag: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    status: int = 200
    media: str = JSON
    form: bool = False
    """Whether the body may also be form-encoded (RFC 8693)."""
    body_optional: bool = False
    raw: int = 0
    """With a number, the handler gets the body as it came, at most so many bytes: for callbacks that are signed."""
    errors: tuple[type[ConsentryError], ...] = field(default=())


async def answer(endpoint: Endpoint, call: Call, receive: Receive, send: Send) -> None:
    """Parse what comes in, run the handler, send what it answers."""
    if endpoint.body is not None:
        body = await _body(endpoint, call, receive)
        result = await endpoint.handler(call, body)
    elif endpoint.query is not None:
        result = await endpoint.handler(call, _query(endpoint.query, call.scope))
    elif endpoint.raw:
        result = await endpoint.handler(call, await read(receive, call.scope, endpoint.raw))
    else:
        result = await endpoint.handler(call)
    if isinstance(result, Response):
        await result(call.scope, receive, send)
        return
    data = result if isinstance(result, bytes) else result.__pydantic_serializer__.to_json(result)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(data)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": endpoint.status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def read(receive: Receive, scope: Scope, limit: int) -> bytes:
    """The whole body. Raises `TooLarge` as soon as it is known to be."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes: send less, or raise `limits.body`")
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        parts, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > limit:
                raise TooLarge(f"the body is larger than {limit} bytes: send less, or raise `limits.body`")
        body = b"".join(parts)
    if message["type"] == "http.disconnect":
        raise InvalidInput("the body ended early")
    return body


async def _body(endpoint: Endpoint, call: Call, receive: Receive) -> BaseModel:
    data = await read(receive, call.scope, call.services.settings.limits.body)
    model = endpoint.body
    assert model is not None
    if not data and endpoint.body_optional:
        return model()
    media = _media(call.scope)
    if media == JSON:
        value: object = parse_object(data, limit=call.services.settings.limits.body)
    elif media == FORM and endpoint.form:
        value = _pairs(data)
    else:
        raise UnsupportedMedia("`Content-Type` must be `application/json`")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid(error, where="body") from None


def _media(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value.partition(b";")[0].strip().lower().decode("latin-1"))
    return ""


def _pairs(data: bytes) -> dict[str, str]:
    """A form in which every name stands once."""
    try:
        pairs = parse_qsl(
            data.decode("utf-8"), keep_blank_values=True, strict_parsing=bool(data), max_num_fields=64, errors="strict"
        )
    except (ValueError, UnicodeError):
        raise InvalidInput("the body is not a form in UTF-8") from None
    if len(dict(pairs)) != len(pairs):
        raise InvalidInput("a form names the same thing twice")
    return dict(pairs)


def _query(model: type[BaseModel], scope: Scope) -> BaseModel:
    try:
        pairs = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=64)
    except (ValueError, UnicodeError):
        raise InvalidBody([FieldError(pointer="?", detail="the query is not UTF-8")]) from None
    if len(dict(pairs)) != len(pairs):
        raise InvalidBody([FieldError(pointer="?", detail="names the same thing twice")])
    try:
        return model.model_validate(dict(pairs))
    except ValidationError as error:
        raise invalid(error, where="query") from None
