"""Sign-ins under way: begun by one browser, taken up again by the same one, once, in time. Functions of a `Tx`."""

from __future__ import annotations

import hashlib

from sqlalchemy import delete, select

from consentry.identity.oidc import Flow, SignInRefused
from consentry.store import Tx, tables

FLOW_MS = 10 * 60_000
"""How long somebody may take at the provider."""
_F = tables.sign_in_flows.c


def begin(tx: Tx, flow: Flow) -> None:
    """Keep a flow until it comes back; forget those that did not in time."""
    tx.execute(delete(tables.sign_in_flows).where(_F.expires_at <= tx.now_ms))
    tx.insert(
        tables.sign_in_flows,
        {
            "state": _hash(flow.state),
            "browser": _hash(flow.browser),
            "provider": flow.provider,
            "nonce": flow.nonce,
            "verifier": flow.verifier,
            "next_path": flow.next_path,
            "session_id": flow.session,
            "expires_at": tx.now_ms + FLOW_MS,
        },
    )


def take(tx: Tx, provider: str, state: str, browser: str) -> Flow:
    """The flow that this browser began at this provider, for whoever comes first. Raises `SignInRefused`.

    INVARIANT: a state without the cookie of the browser that began changes nothing, so nobody can be signed in as
    somebody else by following a link (login CSRF), and nobody can use up another's sign-in.
    """
    mine = (_F.state == _hash(state), _F.browser == _hash(browser), _F.provider == provider, _F.expires_at > tx.now_ms)
    row = tx.execute(select(tables.sign_in_flows).where(*mine)).one_or_none()
    if row is None or tx.execute(delete(tables.sign_in_flows).where(*mine)).rowcount != 1:
        raise SignInRefused("this sign-in was not begun in this browser, is used, or took too long: begin again")
    return Flow(provider, state, browser, row.nonce, row.verifier, row.next_path, row.session_id)


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
