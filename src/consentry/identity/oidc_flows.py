"""Flows at a provider: taken up again by the browser that began them, once, in time. Functions of a `Tx`.

A flow that links an account is a row, of a person who is signed in. One that signs somebody in is sealed into the
cookie of its browser (`oidc_sealed`), so that nobody fills the database by beginning; a row says that it has ended.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import delete, select

from consentry.identity.oidc import Flow
from consentry.identity.oidc_sealed import not_begun
from consentry.store import Tx, tables

FLOW_MS = 10 * 60_000
"""How long somebody may take at the provider."""
_F = tables.sign_in_flows.c


def begin(tx: Tx, flow: Flow) -> None:
    """Keep a flow that links an account until it comes back; forget those that did not in time."""
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
        raise not_begun()
    return Flow(provider, state, browser, row.nonce, row.verifier, row.next_path, row.session_id)


def has_ended(tx: Tx, flow: Flow) -> bool:
    """Whether a sealed flow has signed somebody in."""
    used = tables.used_proofs.c
    return tx.execute(select(used.hash).where(used.hash == _name(flow))).one_or_none() is not None


def end(tx: Tx, flow: Flow, until_ms: int) -> None:
    """Let a sealed flow sign somebody in, and never again. Raises `SignInRefused` for whoever comes second."""
    used = tables.used_proofs
    tx.execute(delete(used).where(used.c.expires_at <= tx.now_ms))
    if until_ms <= tx.now_ms or not tx.insert_missing(used, {"hash": _name(flow), "expires_at": until_ms}):
        raise not_begun()


def _name(flow: Flow) -> bytes:
    return _hash(f"{flow.provider}|{flow.state}")


def _hash(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
