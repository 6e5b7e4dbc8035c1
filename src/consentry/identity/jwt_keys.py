"""The keys of an issuer: read from its JWK set (RFC 7517), kept for a while, asked for again when a new one appears."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from consentry.actions.json import parse_object
from consentry.errors import ConsentryError, Unavailable
from consentry.identity.jwt import Claims, InvalidJwt, Key, require_fitting

MAX_KEYS = 200
FRESH_S = 3600.0
"""How long a set is used without asking again: what bounds the life of a key that its issuer has taken out."""
COOL_DOWN_S = 30.0
"""How long an unknown `kid` leads to no question to the issuer, so that nobody makes us ask it all the time."""
STALE_S = 24 * 3600.0
"""How long the last set is used while the issuer does not answer."""
_USES = (None, "sig", "jwt-svid")
_MEMBERS = ("kty", "crv", "x", "y", "n", "e")
_TYPES: dict[object, type[RSAKey] | type[ECKey] | type[OKPKey]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


class ProviderUnavailable(Unavailable):
    """An issuer of tokens does not answer, or answers something else than its keys."""

    code = "provider_unavailable"


@dataclass(frozen=True, slots=True)
class NamedKey:
    """One public key of a set. `alg` is the only algorithm that it is for, where the set says so."""

    kid: str | None
    alg: str | None
    key: Key


def parse_keys(data: bytes) -> tuple[NamedKey, ...]:
    """The public signature keys of a JWK set; symmetric and unknown ones are left out. Raises `InvalidJwt`."""
    try:
        found = parse_object(data, what="keys").get("keys")
    except ConsentryError:
        found = None
    if not isinstance(found, list) or len(found) > MAX_KEYS:
        raise InvalidJwt("the issuer's keys are no JWK set")
    return tuple(key for one in found if isinstance(one, dict) and (key := _key(one)) is not None)


def parse_key(jwk: Claims) -> Key | None:
    """One public key, or `None` where it is symmetric, private, of an unknown kind, or no key at all."""
    kind = _TYPES.get(jwk.get("kty"))
    if kind is None or "d" in jwk or "k" in jwk:
        return None
    try:
        return kind.import_key({name: value for name in _MEMBERS if isinstance(value := jwk.get(name), str)})
    except (JoseError, ValueError, KeyError, TypeError):
        return None


def choose(keys: Iterable[NamedKey], kid: str | None, alg: str) -> Key | None:
    """The key of this name for this algorithm. Without a name there must be one key only that fits."""
    fitting = [
        one.key for one in keys if (kid is None or one.kid == kid) and one.alg in (None, alg) and _fits(one, alg)
    ]
    return fitting[0] if len(fitting) == 1 else None


def _fits(one: NamedKey, alg: str) -> bool:
    try:
        require_fitting(one.key, alg)
    except InvalidJwt:
        return False
    return True


def _key(jwk: Claims) -> NamedKey | None:
    kid, alg = jwk.get("kid"), jwk.get("alg")
    if jwk.get("use") not in _USES or not isinstance(kid, str | None) or not isinstance(alg, str | None):
        return None
    key = parse_key(jwk)
    return None if key is None else NamedKey(kid, alg, key)


class KeyCache:
    """An issuer's keys as they are now. One question at a time, however many tokens wait for its answer."""

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], clock_s: Callable[[], float]) -> None:
        self._fetch = fetch
        self._clock_s = clock_s
        self._keys: tuple[NamedKey, ...] = ()
        self._read_s = float("-inf")
        self._asked_s = float("-inf")
        self._asking = asyncio.Lock()

    async def find(self, kid: str | None, alg: str) -> Key:
        """The key for a token. Raises `InvalidJwt` where there is none, `ProviderUnavailable` where nobody can say."""
        if self._clock_s() - self._read_s < FRESH_S and (found := choose(self._keys, kid, alg)) is not None:
            return found
        await self._refresh()
        found = choose(self._keys, kid, alg) if self._clock_s() - self._read_s < STALE_S else None
        if found is None:
            raise InvalidJwt("the token is signed with a key that its issuer does not name")
        return found

    async def _refresh(self) -> None:
        asked = self._asked_s
        async with self._asking:
            if self._asked_s != asked or self._clock_s() - asked < COOL_DOWN_S:
                return
            self._asked_s = self._clock_s()
            try:
                self._keys = parse_keys(await self._fetch())
            except (Unavailable, InvalidJwt):
                if self._clock_s() - self._read_s >= STALE_S:
                    self._asked_s = float("-inf")
                    raise
                return
            self._read_s = self._clock_s()
