"""Who may say who somebody is: what is configured for a provider, and what the provider says of itself (discovery)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from consentry.actions.json import parse_object
from consentry.errors import ConsentryError
from consentry.identity.jwt import ALGORITHMS, Claims, InvalidJwt, Key, read_header, verify
from consentry.identity.jwt_keys import KeyCache, ProviderUnavailable, parse_keys
from consentry.identity.oidc_http import Http, require_beside
from consentry.policy.emails import email_text

SKEW_S = 60.0
METADATA_FRESH_S = 3600.0
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
"""What a provider or workload may be called: it stands in addresses and in the ledger."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One OpenID provider. `domains` are those for whose addresses it has the last word; `claims` must all hold.

    `secret` is asked for when it is needed. `groups` maps values of the claim `groups_claim` to groups here;
    `groups_prefix` takes every value that begins with it, for the group of the rest of its name.
    """

    name: str
    issuer: str
    client_id: str
    secret: Callable[[], str] | None = None
    label: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    domains: tuple[str, ...] = ()
    email_trusted: bool = False
    invite_only: bool = True
    claims: Mapping[str, str] = field(default_factory=dict)
    groups_claim: str | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    groups_prefix: str | None = None
    userinfo: bool = False
    logout: bool = False
    exchange_audiences: tuple[str, ...] = ()
    skew_s: float = SKEW_S

    @property
    def source(self) -> str:
        """What the provider is called in the ledger and beside memberships."""
        return f"oidc:{self.name}"

    def speaks_for(self, email: str) -> bool:
        """Whether this provider has the last word for an address."""
        domain = email_text(email).rpartition("@")[2]
        return domain in self.domains


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an issuer publishes (OpenID Connect Discovery 1.0, RFC 8414), as far as it is used."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None
    token_endpoint: str | None
    userinfo_endpoint: str | None
    end_session_endpoint: str | None
    says_issuer: bool
    """Whether every answer to an authorization names its issuer (RFC 9207)."""
    basic: bool
    """Whether the client's secret is sent by HTTP Basic, which is the default of OAuth."""
    algorithms: frozenset[str]


def parse_metadata(data: bytes, issuer: str) -> Metadata:
    """Read a discovery document. Raises `ProviderUnavailable` where it is not that of `issuer`, exactly (mix-up).

    Raises `UnsafeAddress` where it leads to a place that is less public than the issuer.
    """
    try:
        value = parse_object(data, what="metadata")
    except ConsentryError:
        raise ProviderUnavailable("an issuer's metadata are no JSON object") from None
    if value.get("issuer") != issuer:
        raise ProviderUnavailable("an issuer's metadata name another issuer: write it exactly as they do")
    jwks = _address(value, "jwks_uri", issuer)
    if jwks is None:
        raise ProviderUnavailable("an issuer's metadata do not say where its keys are")
    methods = value.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    named = value.get("id_token_signing_alg_values_supported")
    algorithms = frozenset(one for one in named if isinstance(one, str)) if isinstance(named, list) else ALGORITHMS
    return Metadata(
        issuer=issuer,
        jwks_uri=jwks,
        authorization_endpoint=_address(value, "authorization_endpoint", issuer),
        token_endpoint=_address(value, "token_endpoint", issuer),
        userinfo_endpoint=_address(value, "userinfo_endpoint", issuer),
        end_session_endpoint=_address(value, "end_session_endpoint", issuer),
        says_issuer=value.get("authorization_response_iss_parameter_supported") is True,
        basic=not isinstance(methods, list) or "client_secret_basic" in methods,
        algorithms=algorithms & ALGORITHMS,
    )


def _address(value: Claims, name: str, issuer: str) -> str | None:
    found = value.get(name)
    return require_beside(found, issuer) if isinstance(found, str) else None


class Issuer:
    """An issuer and its keys: found by discovery, or in a file that the operator keeps."""

    def __init__(self, issuer: str, http: Http, clock_s: Callable[[], float], keys_file: Path | None = None) -> None:
        self.issuer = issuer
        self._http = http
        self._clock_s = clock_s
        self._file = keys_file
        self._keys = KeyCache(self._fetch_keys, clock_s)
        self._metadata: Metadata | None = None
        self._read_s = float("-inf")
        self._reading = asyncio.Lock()

    async def metadata(self) -> Metadata:
        """What the issuer says of itself, asked again each hour. Raises `ProviderUnavailable`."""
        async with self._reading:
            known = self._metadata
            if known is not None and self._clock_s() - self._read_s < METADATA_FRESH_S:
                return known
            try:
                answer = await self._http.get(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
                if answer.status != 200:
                    raise ProviderUnavailable("an issuer has no metadata where they belong: look at its address")
                self._metadata = parse_metadata(answer.body, self.issuer)
            except ConsentryError:
                if known is None:
                    raise
                return known
            self._read_s = self._clock_s()
            return self._metadata

    async def verified(self, token: str, types: frozenset[str | None]) -> Claims:
        """The claims of a token that one of the issuer's keys has signed. Raises `InvalidJwt`."""
        header = read_header(token)
        if (None if header.typ is None else header.typ.lower()) not in types:
            raise InvalidJwt("the token is of another type than is taken here")
        return verify(token, await self._key(header.kid, header.alg), header.alg)

    async def check(self) -> None:
        """Refuse an issuer whose tokens cannot be verified. Raises `ProviderUnavailable`, `InvalidJwt`."""
        if not parse_keys(await self._fetch_keys()):
            raise InvalidJwt("the issuer names no key that can be used")

    async def _key(self, kid: str | None, alg: str) -> Key:
        return await self._keys.find(kid, alg)

    async def _fetch_keys(self) -> bytes:
        if self._file is not None:
            try:
                return await asyncio.to_thread(self._file.read_bytes)
            except OSError:
                raise ProviderUnavailable(f"the file `{self._file.name}` of an issuer's keys cannot be read") from None
        answer = await self._http.get((await self.metadata()).jwks_uri)
        if answer.status != 200:
            raise ProviderUnavailable("an issuer does not give its keys")
        return answer.body
