"""Whether the Bot Framework sent what came: its token, checked step by step (threat D1).

The token vouches for who sends, not for the body: it is a bearer token, and the body is believed because it came with
it over TLS.
https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-authentication
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import orjson

from consentry.actions.json import parse_object
from consentry.errors import ConsentryError
from consentry.identity import jwt
from consentry.identity.jwt import InvalidJwt
from consentry.identity.jwt_keys import KeyCache, ProviderUnavailable, parse_keys
from consentry.identity.oidc_http import Http, UnsafeAddress, require_beside

ISSUER = "https://api.botframework.com"
CHANNEL = "msteams"
ALGORITHMS = frozenset({"RS256"})
SKEW_S = 300.0


class BadToken(ConsentryError):
    """The call does not come with a token by which the Bot Framework says that it is its own."""

    code = "bad_token"
    status = 401


class Verifier:
    """Knows the keys of the Bot Framework, and asks for them again when a new one appears."""

    def __init__(self, app_id: str, openid_url: str, http: Http, clock_s: Callable[[], float]) -> None:
        self._app_id = app_id
        self._openid_url = openid_url
        self._http = http
        self._clock_s = clock_s
        self._keys = KeyCache(self._fetch, clock_s)

    async def service_url(self, headers: Sequence[str]) -> str:
        """The service address that the token is for; the activity must name the same.

        Raises `BadToken`; `ProviderUnavailable` where nobody can say.
        """
        token = _bearer(headers)  # 1: sent as a bearer token, once
        try:
            header = jwt.read_header(token, ALGORITHMS)  # 2: a JWT, signed by an algorithm that is expected
            key = await self._keys.find(header.kid, header.alg)  # 3: by a key that is endorsed for Teams
            claims = jwt.verify(token, key, header.alg)
            if claims.get("iss") != ISSUER:  # 4: by the Bot Framework
                raise InvalidJwt("the token has another issuer")
            if jwt.audiences(claims) != {self._app_id}:  # 5: for this bot alone
                raise InvalidJwt("the token is for another bot")
            begins = claims.get("iat", claims.get("nbf"))
            jwt.check_times({**claims, "iat": begins}, self._clock_s(), SKEW_S)  # 6: now
            url = jwt.text_claim(claims, "serviceurl", 2048)  # 7: for one service
        except InvalidJwt as error:
            raise BadToken(str(error)) from None
        return url

    async def check(self) -> int:
        """How many keys there are. Raises `ProviderUnavailable`, `UnsafeAddress`."""
        return len(parse_keys(await self._fetch()))

    async def _fetch(self) -> bytes:
        """The keys that are endorsed for Teams, as a JWK set."""
        try:
            metadata = await self._get(self._openid_url)
            if metadata.get("issuer") != ISSUER:
                raise ProviderUnavailable("the Bot Framework's metadata name another issuer")
            keys = (await self._get(require_beside(str(metadata.get("jwks_uri")), self._openid_url))).get("keys")
        except UnsafeAddress:
            raise ProviderUnavailable("the Bot Framework's keys would be read in the clear, or from inside") from None
        found = [one for one in keys if isinstance(one, dict)] if isinstance(keys, list) else []
        return orjson.dumps({"keys": [one for one in found if _endorsed(one)]})

    async def _get(self, url: str) -> dict[str, object]:
        answer = await self._http.get(url)
        if answer.status != 200:
            raise ProviderUnavailable("the Bot Framework does not say what its keys are: look at `openid_url`")
        try:
            return dict(parse_object(answer.body, what="metadata"))
        except ConsentryError:
            raise ProviderUnavailable("the Bot Framework's metadata are no JSON object") from None


def same_service(one: str, other: str) -> bool:
    """Whether two service addresses are one. A slash at the end makes no difference."""
    return one.rstrip("/") == other.rstrip("/") and bool(urlsplit(one).hostname)


def _bearer(headers: Sequence[str]) -> str:
    if len(headers) != 1:
        raise BadToken("a bearer token must be there, once")
    scheme, _, token = headers[0].partition(" ")
    if scheme.lower() != "bearer" or not (token and token.isascii()):
        raise BadToken("a bearer token must be there, once")
    return token.strip()


def _endorsed(key: dict[str, object]) -> bool:
    """A key without endorsements is for no channel: what cannot be checked is refused."""
    endorsements = key.get("endorsements")
    return isinstance(endorsements, list) and CHANNEL in endorsements
