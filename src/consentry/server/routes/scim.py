"""SCIM 2.0 at `/scim/v2` (RFC 7644), for the identity provider alone: its token is its own and opens nothing else.

Only where `identity.scim.token` is set. Bodies are JSON read strictly; every refusal is a SCIM error.
"""

from __future__ import annotations

import hashlib
import secrets
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from consentry.actions.json import parse_object
from consentry.errors import ConsentryError, InvalidInput, Unavailable
from consentry.identity.errors import NotSignedIn
from consentry.server.endpoint import read
from consentry.server.problems import TooManyAttempts, UnknownPath, UnsupportedMedia
from consentry.server.ratelimit import Attempts
from consentry.server.settings import InvalidSettings

if TYPE_CHECKING:
    from consentry.server.services import Services

PREFIX = "/scim/v2/"
MEDIA = "application/scim+json"
_ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
_DEEPEST = 3
SHORTEST = 24
"""How many characters the token has at least: nobody guesses it."""


class ScimDoor:
    """The service as an ASGI application. Making it loads the library behind it, which takes a while."""

    def __init__(self, services: Services) -> None:
        from consentry.server.scim import Service

        self._services = services
        settings = services.settings.identity.scim
        token = "" if settings.token is None else settings.token.reveal()
        if len(token) < SHORTEST:
            raise InvalidSettings(f"`identity.scim.token` must have at least {SHORTEST} characters, made at random")
        self._token = hashlib.sha256(token.encode("utf-8")).digest()
        self._calls = Attempts(settings.per_minute)
        self._service = Service(services.gate.store, services.origin + PREFIX.rstrip("/"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["consentry.route"] = PREFIX + "{path}"
        try:
            self._let_in(scope)
            answer = await self._answer(scope, receive)
        except ConsentryError as error:
            answer = refusal(error)
        await answer(scope, receive, send)

    def _let_in(self, scope: Scope) -> None:
        """Refuse whoever does not show the token, whatever else they show. Raises `NotSignedIn`, `TooManyAttempts`."""
        address = str(scope["client"][0]) if scope.get("client") else "local"
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        scheme, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        shown = hashlib.sha256(token.strip()).digest()
        if scheme.lower() != b"bearer" or not secrets.compare_digest(shown, self._token):
            self._services.attempts.failed(f"scim {address}")
            raise NotSignedIn("the SCIM token is missing or wrong: send that of `identity.scim.token`")
        self._calls.failed(address)  # counts every call, not only failures

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        from consentry.server.scim import refuse

        parts = [part for part in scope["path"].removeprefix(PREFIX).split("/") if part]
        if not 1 <= len(parts) <= _DEEPEST:
            raise UnknownPath("there is nothing at this path of SCIM")
        with refuse():
            return await self._service.answer(scope["method"], parts, _query(scope), lambda: self._body(scope, receive))

    async def _body(self, scope: Scope, receive: Receive) -> dict[str, object]:
        limit = self._services.settings.limits.body
        data = await read(receive, scope, limit)
        media = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
        if media.partition(b";")[0].strip().lower() not in (b"application/scim+json", b"application/json"):
            raise UnsupportedMedia(f"`Content-Type` must be `{MEDIA}`")
        return dict(parse_object(data, limit=limit))


def refusal(error: ConsentryError) -> Response:
    """An error as RFC 7644 section 3.12 says it."""
    import orjson

    kind = getattr(error, "scim_type", None)
    if kind is None and type(error) is InvalidInput:
        kind = "invalidSyntax"
    document = {"schemas": [_ERROR], "status": str(error.status), "detail": str(error)}
    headers = {"cache-control": "no-store"}
    if isinstance(error, NotSignedIn):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, TooManyAttempts):
        headers["retry-after"] = str(error.seconds)
    elif isinstance(error, Unavailable) or error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = "5"
    data = orjson.dumps({**document, "scimType": kind} if kind else document)
    return Response(data, error.status, headers, MEDIA)


def _query(scope: Scope) -> dict[str, str]:
    try:
        pairs = parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True, max_num_fields=64)
    except (ValueError, UnicodeError):
        raise InvalidInput("the query is not UTF-8") from None
    if len(dict(pairs)) != len(pairs):
        raise InvalidInput("the query names the same thing twice")
    return dict(pairs)
