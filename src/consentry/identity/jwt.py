"""JSON Web Tokens of others: signature first, then what every token must say. Pure.

RFC 7515, 7519 and 8725. Only asymmetric algorithms are known here, so that neither `none` nor a MAC keyed with a
public key can be asked for by whoever wrote the token.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from consentry.actions.json import parse_object
from consentry.errors import ConsentryError, InvalidInput

if TYPE_CHECKING:
    from joserfc._rfc7515.model import JWSAlgModel

Key = RSAKey | ECKey | OKPKey
Claims = Mapping[str, object]

MAX_TOKEN = 64 * 1024
ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
)
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "EdDSA": "Ed25519", "Ed25519": "Ed25519"}


class _Registry(jws.JWSRegistry):
    """One algorithm only, whatever else the library knows. Header members that are not understood are left alone."""

    max_payload_length = MAX_TOKEN
    max_header_length = 8 * 1024

    def get_alg(self, name: str) -> JWSAlgModel:
        """`EdDSA` is deprecated for not naming its curve (RFC 9864); here the key's curve is checked."""
        return self.algorithms[name] if name == "EdDSA" and name in (self.allowed or ()) else super().get_alg(name)


_REGISTRIES = {alg: _Registry(algorithms=[alg], strict_check_header=False) for alg in ALGORITHMS}


class InvalidJwt(InvalidInput):
    """The token is not one that its rules take. The message says which rule, never what stands in the token."""

    code = "invalid_jwt"


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says about itself, and nobody has verified."""

    alg: str
    kid: str | None
    typ: str | None
    jwk: Claims | None


def read_header(token: str, algorithms: Collection[str] = ALGORITHMS) -> Header:
    """The header of a compact token whose algorithm is allowed. Raises `InvalidJwt`."""
    header = _part(token, 0)
    alg, kid, typ, jwk = (header.get(name) for name in ("alg", "kid", "typ", "jwk"))
    if not isinstance(alg, str) or alg not in algorithms or alg not in ALGORITHMS:
        raise InvalidJwt("the token's `alg` is not one of those that are taken: sign it with an asymmetric key")
    if "crit" in header:
        raise InvalidJwt("the token has a `crit` header that is not understood here")
    if (kid is not None and not isinstance(kid, str)) or (typ is not None and not isinstance(typ, str)):
        raise InvalidJwt("the token's header has a `kid` or `typ` that is no text")
    if jwk is not None and not isinstance(jwk, Mapping):
        raise InvalidJwt("the token's header has a `jwk` that is no key")
    return Header(alg, kid, typ, jwk)


def read_unverified(token: str) -> Claims:
    """The claims of a token that nobody has verified, to find out by which rules to verify it. Raises `InvalidJwt`."""
    return _part(token, 1)


def verify(token: str, key: Key, alg: str) -> Claims:
    """The claims of a token that this key has signed with this algorithm. Raises `InvalidJwt`."""
    require_fitting(key, alg)
    try:
        verified = jws.deserialize_compact(token, key, registry=_REGISTRIES[alg])
    except (JoseError, ValueError):
        raise InvalidJwt("the token's signature is not by the key that it names") from None
    return _object(verified.payload)


def require_fitting(key: Key, alg: str) -> None:
    """Refuse an algorithm that is not one of this key, and keys that are too short (RFC 8725, section 3.2)."""
    if isinstance(key, RSAKey):
        fits = alg[:2] in ("RS", "PS") and key.raw_value.key_size >= 2048
    else:
        fits = alg in _CURVES and key.curve_name == _CURVES[alg]
    if not fits:
        raise InvalidJwt("the token's `alg` does not fit the key that it names")


def check_times(claims: Claims, now_s: float, skew_s: float) -> None:
    """Refuse what has expired, does not hold yet, or was made in the future. `exp` and `iat` must be there."""
    expires, issued, begins = (_number(claims, name) for name in ("exp", "iat", "nbf"))
    if expires is None:
        raise InvalidJwt("the token has no `exp`")
    if expires + skew_s <= now_s:
        raise InvalidJwt("the token has expired")
    if issued is None:
        raise InvalidJwt("the token has no `iat`")
    if issued - skew_s > now_s or (begins is not None and begins - skew_s > now_s):
        raise InvalidJwt("the token is of the future: compare the clocks of both machines")


def audiences(claims: Claims) -> frozenset[str]:
    """Whom the token is for (RFC 7519, section 4.1.3). Raises `InvalidJwt`."""
    value = claims.get("aud")
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(one, str) for one in found):
        raise InvalidJwt("the token does not say for whom it is: `aud` is missing")
    return frozenset(found)


def text_claim(claims: Claims, name: str, most: int = 255) -> str:
    """A claim that must be a text that is not empty. Raises `InvalidJwt`."""
    value = claims.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most or not value.isprintable():
        raise InvalidJwt(f"the token's `{name}` is missing or is no text of at most {most} characters")
    return value


def expiry_ms(claims: Claims) -> int:
    """`exp` in milliseconds. Raises `InvalidJwt`."""
    expires = _number(claims, "exp")
    if expires is None:
        raise InvalidJwt("the token has no `exp`")
    return int(expires * 1000)


def _number(claims: Claims, name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**43:
        raise InvalidJwt(f"the token's `{name}` is no time")
    return float(value)


def _part(token: str, index: int) -> Claims:
    parts = token.split(".") if len(token) <= MAX_TOKEN else []
    if len(parts) != 3:
        raise InvalidJwt("this is no signed token of three parts")
    try:
        return _object(base64.b64decode(parts[index] + "=" * (-len(parts[index]) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise InvalidJwt("this is no signed token of three parts") from None


def _object(data: bytes) -> Claims:
    try:
        return parse_object(data, limit=MAX_TOKEN)
    except ConsentryError:
        raise InvalidJwt("the token does not hold a JSON object in which every name stands once") from None
