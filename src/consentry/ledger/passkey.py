"""Votes that a passkey has signed, and how anybody checks one from the log alone (W3C Web Authentication, section 7.2).

The registration's entry holds the public key, the relying party and the origin; the vote's entry holds what the
authenticator signed. The challenge is not random: it names the action's digest, the request, what was shown, and the
verdict, so that the signature is over the consent itself and fits nothing else. A nonce of the server makes each
challenge one that was asked for once. Nothing here needs CBOR: the key stands as SubjectPublicKeyInfo, which every
cryptographic tool reads.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

import orjson

from consentry.ledger.errors import LedgerError

DOMAIN = b"consentry passkey v1\n"
RANK = 3
"""The `assurance` of a vote that a passkey signed."""
MAX_BYTES = 4096
"""No part of an assertion is longer; what browsers and authenticators make has a few hundred bytes."""

_HEADER = 37
_PRESENT, _VERIFIED = 0x01, 0x04


class AssertionInvalid(LedgerError):
    """A passkey's signature is not one over this vote."""

    code = "passkey_invalid"


@dataclass(frozen=True, slots=True)
class Registration:
    """What the entry of a passkey's registration says: whose it is, its public key, and where it may be used.

    `key` is a DER SubjectPublicKeyInfo. `registered` is the entry's time.
    """

    passkey: str
    person: str
    key: bytes
    rp: str
    origin: str
    registered: str = ""


@dataclass(frozen=True, slots=True)
class Assertion:
    """What an authenticator answered: its data, the browser's client data as JSON, and the signature over both."""

    authenticator: bytes
    client: bytes
    signature: bytes

    def fields(self) -> dict[str, str]:
        """As it stands in an entry."""
        return {
            "authenticator": encode(self.authenticator),
            "client": encode(self.client),
            "signature": encode(self.signature),
        }


def challenge_of(*, digest: str, request: str, shown: str, verdict: str, nonce: str) -> bytes:
    """The 32 bytes that a passkey signs: SHA-256 over a domain tag and canonical JSON of what the person consents to.

    `nonce` is base64url, as it stands in the vote's entry.
    """
    what = {"action": digest, "nonce": nonce, "request": request, "shown": shown, "verdict": verdict}
    return sha256(DOMAIN + orjson.dumps(what, option=orjson.OPT_SORT_KEYS)).digest()


def verify_assertion(registration: Registration, challenge: bytes, assertion: Assertion) -> int:
    """Check an assertion and answer the authenticator's signature counter. Raises `AssertionInvalid`.

    The steps are those of Web Authentication section 7.2, user verification required, none left out.
    """
    _check_client(orjson_object(assertion.client), registration.origin, challenge)
    data = assertion.authenticator
    if not _HEADER <= len(data) <= MAX_BYTES:
        raise AssertionInvalid("passkey: the authenticator data has not the length of one")
    if data[:32] != sha256(registration.rp.encode()).digest():
        raise AssertionInvalid("passkey: signed for another relying party than it was registered at")
    if not data[32] & _PRESENT or not data[32] & _VERIFIED:
        raise AssertionInvalid("passkey: the authenticator did not verify the person")
    if not _signed(registration.key, assertion.signature, data + sha256(assertion.client).digest()):
        raise AssertionInvalid("passkey: the signature is not one of the registered key over this vote")
    return int.from_bytes(data[33:37], "big")


def claimed_challenge(client: bytes) -> bytes:
    """The challenge that client data names, nothing of it verified. Raises `AssertionInvalid`."""
    text = orjson_object(client).get("challenge")
    if not isinstance(text, str):
        raise AssertionInvalid("passkey: the client data names no challenge")
    return decode(text)


def check_key(key: bytes) -> None:
    """Raises `AssertionInvalid` unless a public key is of a kind that votes may be signed with."""
    _signed(key, b"", b"")


def encode(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """The one spelling of base64url without padding. Raises `AssertionInvalid`."""
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise AssertionInvalid("passkey: not base64url") from None
    if encode(raw) != text or len(raw) > MAX_BYTES:
        raise AssertionInvalid("passkey: not the canonical base64url spelling, or too long")
    return raw


def orjson_object(client: bytes) -> Mapping[str, object]:
    """Client data as the object that it must be. Raises `AssertionInvalid`."""
    try:
        found = orjson.loads(client) if len(client) <= MAX_BYTES else None
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise AssertionInvalid("passkey: the client data is not a JSON object")
    return found


def _check_client(client: Mapping[str, object], origin: str, challenge: bytes) -> None:
    if client.get("type") != "webauthn.get":
        raise AssertionInvalid("passkey: the client data is not of an assertion")
    if client.get("challenge") != encode(challenge):
        raise AssertionInvalid("passkey: signed for another action, request, verdict or view than this vote's")
    if client.get("origin") != origin:
        raise AssertionInvalid("passkey: signed on another site than it was registered at")
    if client.get("crossOrigin", False) is not False or "topOrigin" in client:
        raise AssertionInvalid("passkey: signed inside a frame of another site")


def _signed(key: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the signature verifies; ES256, Ed25519 and RS256, told apart by the key. Raises `AssertionInvalid`."""
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        public = load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        raise AssertionInvalid("passkey: the registered key is not a public key") from None
    try:
        if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
            public.verify(signature, message, ec.ECDSA(SHA256()))
        elif isinstance(public, ed25519.Ed25519PublicKey):
            public.verify(signature, message)
        elif isinstance(public, rsa.RSAPublicKey) and 2048 <= public.key_size <= 8192:
            public.verify(signature, message, padding.PKCS1v15(), SHA256())
        else:
            raise AssertionInvalid("passkey: the registered key is none of P-256, Ed25519 and RSA from 2048 bits")
    except InvalidSignature:
        return False
    return True
