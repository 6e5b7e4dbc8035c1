"""Sign-ins under way, sealed into the cookie of the browser that began them: whoever begins one costs us no row.

AES-256-GCM (NIST SP 800-38D) under a key that all replicas share; pure but for randomness.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentry.identity.oidc import Flow, SignInRefused

MARK = "s."
"""What sealed flows begin with; the cookie of a flow that is a row has none."""

MAX_NEXT = 1_000
"""So many characters of the page that somebody came from fit into a cookie; who came from longer ones lands on `/`."""

_FOR = b"consentry sign-in flow v1"
_NONCE = 12


def seal(key: bytes, flow: Flow, until_ms: int) -> str:
    """What the browser keeps. Flows that link an account are rows: a key must not be worth somebody's session."""
    if flow.session is not None:
        raise ValueError("a flow that links an account is not sealed")
    back = flow.next_path if len(flow.next_path) <= MAX_NEXT else "/"
    told = json.dumps(
        [flow.provider, flow.state, flow.nonce, flow.verifier, back, until_ms], ensure_ascii=False
    ).encode()
    nonce = secrets.token_bytes(_NONCE)
    sealed = nonce + AESGCM(key).encrypt(nonce, told, _FOR)
    return MARK + base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")


def unseal(key: bytes, provider: str, state: str, browser: str, now_ms: int) -> tuple[Flow, int]:
    """The flow that this browser began at this provider, and until when it may end. Raises `SignInRefused`.

    INVARIANT: a state without the cookie of the browser that began it signs nobody in (login CSRF).
    """
    try:
        text = browser.removeprefix(MARK).encode("ascii")
        sealed = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        told = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], _FOR)
    except (InvalidTag, binascii.Error, UnicodeEncodeError, ValueError):
        raise not_begun() from None
    at, begun, nonce, verifier, back, until_ms = json.loads(told)
    if (
        at != provider
        or until_ms <= now_ms
        or not hmac.compare_digest(begun.encode(), state.encode("utf-8", "replace"))
    ):
        raise not_begun()
    return Flow(provider, state, browser, nonce, verifier, back), until_ms


def not_begun() -> SignInRefused:
    """The same for every reason."""
    return SignInRefused("this sign-in was not begun in this browser, is used, or took too long: begin again")
