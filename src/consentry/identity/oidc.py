"""Signing in at a provider: OpenID Connect Core 1.0, authorization code with PKCE, hardened as RFC 9700 says.

Four questions to an answer that a browser brings back: did this browser begin it (the cookie, in `oidc_flows`), is it
of the provider that was asked (`iss`, RFC 9207, and a redirect address of each provider's own), was its code made for
us (PKCE, the client's secret), and is the token that it gives for this one sign-in (`nonce`, `aud`, `azp`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

from consentry.actions.json import parse_object
from consentry.errors import ConsentryError
from consentry.identity.jwt import Claims, InvalidJwt, audiences, check_times, read_header, text_claim
from consentry.identity.jwt_keys import ProviderUnavailable
from consentry.identity.oidc_http import Http
from consentry.identity.providers import Issuer, Metadata, Provider

MAX_CODE = 2048
_TYPES = frozenset({None, "jwt"})
"""ID tokens have no type or this one; access tokens (`at+jwt`), proofs and logout tokens have others (RFC 8725)."""


class SignInRefused(ConsentryError):
    """A provider's answer does not sign anybody in here."""

    code = "sign_in_refused"
    status = 403


@dataclass(frozen=True, slots=True)
class Flow:
    """One sign-in under way. `state` and `browser` are what the browser brings back: in the address, in its cookie.

    `session` names the session of the person who links another identity to themselves; `None` where somebody signs in.
    """

    provider: str
    state: str
    browser: str
    nonce: str
    verifier: str
    next_path: str
    session: str | None = None


def new_flow(provider: str, next_path: str, session: str | None = None) -> Flow:
    """A sign-in that begins, with 256 random bits for each of its secrets."""
    state, browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(4))
    return Flow(provider, state, browser, nonce, verifier, next_path, session)


def challenge(verifier: str) -> str:
    """What is shown of a PKCE verifier beforehand (RFC 7636, section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


@dataclass(frozen=True, slots=True)
class Redeemed:
    """What a code was worth: the verified claims, and the token itself, for signing out at the provider."""

    claims: Claims
    id_token: str


class OidcClient:
    """One provider, spoken to."""

    def __init__(self, provider: Provider, http: Http, clock_s: Callable[[], float]) -> None:
        self.provider = provider
        self._http = http
        self._clock_s = clock_s
        self._issuer = Issuer(provider.issuer, http, clock_s)

    async def authorization_url(self, flow: Flow, redirect_uri: str) -> str:
        """Where the browser goes to sign in. Raises `ProviderUnavailable`."""
        metadata = await self._issuer.metadata()
        if metadata.authorization_endpoint is None:
            raise ProviderUnavailable("the provider does not say where people sign in")
        query = {
            "response_type": "code",
            "client_id": self.provider.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(self.provider.scopes),
            "state": flow.state,
            "nonce": flow.nonce,
            "code_challenge": challenge(flow.verifier),
            "code_challenge_method": "S256",
        }
        if flow.session is not None:  # the account to link is chosen by hand, whoever is signed in there now
            query["prompt"] = "login"
        return _with_query(metadata.authorization_endpoint, query)

    async def check_issuer(self, issuer: str | None) -> None:
        """Refuse an answer of another issuer, or of none where this one names itself always (RFC 9207)."""
        if issuer is None and not (await self._issuer.metadata()).says_issuer:
            return
        if issuer != self.provider.issuer:
            raise SignInRefused("the answer is of another provider than the one that was asked: sign in again")

    async def redeem(self, code: str, flow: Flow, redirect_uri: str) -> Redeemed:
        """Turn a code into verified claims. Raises `SignInRefused` or `ProviderUnavailable`."""
        metadata = await self._issuer.metadata()
        answer = await self._ask_for_tokens(metadata, code, flow, redirect_uri)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise SignInRefused("the provider gave no ID token: ask for the scope `openid`")
        try:
            claims = await self.verify(token, audience=frozenset({self.provider.client_id}))
            _check_nonce(claims, flow.nonce)
        except InvalidJwt as error:
            raise SignInRefused(f"the provider's ID token is not taken: {error}") from None
        if self.provider.userinfo:
            found = await self._userinfo(metadata, answer.get("access_token"), claims)
            claims = {**_beside(found, claims), **claims}
        return Redeemed(claims, token)

    async def verify(self, token: str, *, audience: frozenset[str]) -> Claims:
        """The claims of an ID token of this provider for one of `audience` (Core, section 3.1.3.7).

        Raises `InvalidJwt`. The nonce is left to whoever knows it.
        """
        metadata = await self._issuer.metadata()
        read_header(token, metadata.algorithms)
        claims = await self._issuer.verified(token, _TYPES)
        if claims.get("iss") != self.provider.issuer:
            raise InvalidJwt("the token is of another issuer")
        meant, party = audiences(claims), claims.get("azp")
        if not meant & audience:
            raise InvalidJwt("the token is for another client: compare `client_id`")
        if (len(meant) > 1 and party is None) or (party is not None and str(party) not in audience):
            raise InvalidJwt("the token was given to another client: compare `client_id`")
        check_times(claims, self._clock_s(), self.provider.skew_s)
        text_claim(claims, "sub")
        return claims

    async def logout_url(self, back: str, id_token: str | None) -> str | None:
        """Where signing out at the provider begins (RP-Initiated Logout 1.0), where it is wanted and exists."""
        if not self.provider.logout:
            return None
        end = (await self._issuer.metadata()).end_session_endpoint
        if end is None:
            return None
        hint = {} if id_token is None else {"id_token_hint": id_token}
        return _with_query(end, {"client_id": self.provider.client_id, "post_logout_redirect_uri": back, **hint})

    async def _ask_for_tokens(self, metadata: Metadata, code: str, flow: Flow, redirect_uri: str) -> Claims:
        if metadata.token_endpoint is None:
            raise ProviderUnavailable("the provider does not say where its tokens are")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": flow.verifier,
        }
        headers: dict[str, str] = {}
        self._authenticate(metadata, form, headers)
        answer = await self._http.post(metadata.token_endpoint, form, headers)
        if answer.status >= 500:
            raise ProviderUnavailable("the provider failed: try again")
        if answer.status != 200:
            raise SignInRefused("the provider does not take the code: it is used, expired or not of us. Sign in again")
        return _json(answer.body)

    def _authenticate(self, metadata: Metadata, form: dict[str, str], headers: dict[str, str]) -> None:
        """Say who we are (RFC 6749, section 2.3.1)."""
        client = self.provider.client_id
        if self.provider.secret is None:
            form["client_id"] = client
        elif metadata.basic:
            pair = f"{quote(client, safe='')}:{quote(self.provider.secret(), safe='')}"
            headers["authorization"] = "Basic " + base64.b64encode(pair.encode()).decode("ascii")
        else:
            form.update(client_id=client, client_secret=self.provider.secret())

    async def _userinfo(self, metadata: Metadata, access_token: object, claims: Claims) -> Claims:
        """Claims that the ID token lacks, of the very same subject (Core, section 5.3.4)."""
        if metadata.userinfo_endpoint is None or not isinstance(access_token, str) or not access_token.isascii():
            raise SignInRefused("the provider has no userinfo endpoint: set `userinfo = false`")
        answer = await self._http.get(metadata.userinfo_endpoint, {"authorization": f"Bearer {access_token}"})
        found = _json(answer.body) if answer.status == 200 else {}
        if found.get("sub") != claims["sub"]:
            raise SignInRefused("the provider's userinfo is of somebody else: sign in again")
        return found


def _beside(found: Claims, claims: Claims) -> Claims:
    """What userinfo adds. An address and whether it is verified come from the same place."""
    pair = ("email", "email_verified") if "email" in claims else ()
    return {name: value for name, value in found.items() if name not in pair}


def _check_nonce(claims: Claims, nonce: str) -> None:
    found = claims.get("nonce")
    if not isinstance(found, str) or not hmac.compare_digest(found.encode(), nonce.encode()):
        raise InvalidJwt("the token is of another sign-in: its `nonce` differs")


def _json(body: bytes) -> Claims:
    try:
        return parse_object(body, what="answer")
    except ConsentryError:
        raise ProviderUnavailable("the provider's answer is no JSON object") from None


def _with_query(endpoint: str, query: Mapping[str, str]) -> str:
    """An endpoint may have a query of its own, which stays (RFC 6749, section 3.1)."""
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"
