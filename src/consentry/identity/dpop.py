"""Tokens that are bound to a key: whoever presents one proves that they hold the key, with each request (RFC 9449).

A token that was read out of a log, a memory dump or a proxy is then worth nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

from sqlalchemy import delete

from consentry.identity.errors import NotSignedIn
from consentry.identity.jwt import Claims, InvalidJwt, read_header, text_claim, verify
from consentry.identity.jwt_keys import parse_key
from consentry.store import Tx, tables

ALGORITHMS = ("ES256", "ES384", "ES512", "EdDSA", "Ed25519", "PS256", "RS256")
WINDOW_S = 120.0
"""How far a proof's time may be from ours, either way."""
MAX_PROOF = 8 * 1024


class DpopMode(StrEnum):
    """Whether tokens of agents and services are bound to keys."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"


class InvalidProof(NotSignedIn):
    """The proof of a key that a request carries does not hold."""

    code = "invalid_dpop_proof"
    challenge = f'DPoP error="invalid_dpop_proof", algs="{" ".join(ALGORITHMS)}"'


class WrongKey(InvalidProof):
    """The token is bound to a key, or has to be, and the request does not show that its sender holds it."""

    code = "wrong_dpop_key"
    challenge = f'DPoP error="invalid_token", algs="{" ".join(ALGORITHMS)}"'


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a token came: by which scheme, with which `DPoP` headers, on which request.

    `urls` are the addresses that the request may have been sent to, as this server is known to its callers.
    """

    method: str
    urls: tuple[str, ...]
    proofs: tuple[str, ...] = ()
    scheme: str = "bearer"


@dataclass(frozen=True, slots=True)
class Proof:
    """A proof that holds. `thumbprint` names its key (RFC 7638); `hash` and `until_ms` are for not taking it twice."""

    thumbprint: str
    hash: bytes
    until_ms: int


def check_proof(presented: Presentation, now_ms: int, token: str | None = None) -> Proof:
    """Check a request's proof, and that it is of this token where there is one. Raises `InvalidProof`.

    The steps are those of RFC 9449, section 4.3; a nonce of ours (section 8) is not asked for.
    """
    if len(presented.proofs) != 1 or len(presented.proofs[0]) > MAX_PROOF:  # 1
        raise InvalidProof("the request must have one `DPoP` header")
    try:
        return _checked(presented, presented.proofs[0], now_ms, token)
    except InvalidJwt as error:
        raise InvalidProof(f"the `DPoP` proof is not taken: {error}") from None


def _checked(presented: Presentation, text: str, now_ms: int, token: str | None) -> Proof:
    header = read_header(text, ALGORITHMS)  # 2, 5
    key = None if header.jwk is None else parse_key(header.jwk)
    if header.typ != "dpop+jwt" or key is None:  # 4, 7
        raise InvalidJwt("its `typ` must be `dpop+jwt` and its `jwk` a public key")
    claims = verify(text, key, header.alg)  # 6
    if claims.get("htm") != presented.method or not _same_address(claims.get("htu"), presented.urls):  # 8, 9
        raise InvalidJwt("its `htm` and `htu` must be those of this request")
    issued = claims.get("iat")
    if isinstance(issued, bool) or not isinstance(issued, int | float) or abs(now_ms / 1000 - issued) > WINDOW_S:  # 11
        raise InvalidJwt("its `iat` must be the time of this request: compare the clocks of both machines")
    if token is not None and not _same_text(claims, "ath", _hash(token)):  # 12
        raise InvalidJwt("its `ath` must be the hash of the token")
    thumbprint = key.thumbprint()
    once = hashlib.sha256(f"{thumbprint}|{text_claim(claims, 'jti', 512)}".encode()).digest()
    return Proof(thumbprint, once, int((issued + WINDOW_S) * 1000) + 1)


def use_once(tx: Tx, proof: Proof) -> None:
    """Take a proof, and never again. Raises `InvalidProof` for whoever comes second."""
    used = tables.used_proofs
    tx.execute(delete(used).where(used.c.expires_at <= tx.now_ms))
    if not tx.insert_missing(used, {"hash": proof.hash, "expires_at": max(proof.until_ms, tx.now_ms + 1)}):
        raise InvalidProof("the `DPoP` proof was used before: make a new one for each request")


def _hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode("utf-8")).digest()).rstrip(b"=").decode("ascii")


def _same_text(claims: Claims, name: str, expected: str) -> bool:
    found = claims.get(name)
    return isinstance(found, str) and hmac.compare_digest(found.encode("utf-8"), expected.encode("utf-8"))


def _same_address(claimed: object, urls: Collection[str]) -> bool:
    """Whether a proof is for this address, without its query, after the normalisation of RFC 3986, section 6.2."""
    try:
        return isinstance(claimed, str) and _normal(claimed) in {_normal(url) for url in urls}
    except ValueError:
        return False


def _normal(url: str) -> tuple[str, str, int | None, str]:
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or {"http": 80, "https": 443}.get(scheme)
    return scheme, parts.hostname or "", port, parts.path or "/"
