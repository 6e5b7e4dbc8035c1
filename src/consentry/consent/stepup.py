"""Step-up: a vote that carries a passkey's signature over exactly itself. Runs inside the transaction of the vote.

INVARIANT: nothing but `prove` gives a vote the assurance `passkey`, whatever a session says of itself.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Row, select, update

from consentry.consent.errors import PasskeyRejected
from consentry.consent.model import Ballot, Request, Signed, Voter
from consentry.ledger.passkey import (
    Assertion,
    AssertionInvalid,
    Registration,
    challenge_of,
    claimed_challenge,
    verify_assertion,
)
from consentry.policy.model import Assurance
from consentry.store import Tx, tables

VOTE = "vote"
"""The purpose of a challenge that a vote answers."""

_P, _C = tables.passkeys.c, tables.passkey_challenges.c


@dataclass(frozen=True, slots=True)
class Proof:
    """A verified signature, as the entry of the vote holds it."""

    passkey: str
    nonce: str
    assertion: Assertion

    def fields(self) -> dict[str, str]:
        return {"passkey": self.passkey, "nonce": self.nonce, **self.assertion.fields()}


def assurance_of(voter: Voter, proof: Proof | None) -> Assurance:
    """How strongly a vote is given: by passkey where one signed it, and else no more than a session."""
    if proof is not None:
        return Assurance.PASSKEY
    return min(voter.assurance, Assurance.SESSION, key=lambda one: one.rank)


def prove(tx: Tx, request: Request, voter: Voter, person: str, ballot: Ballot) -> Proof | None:
    """Verify the ballot's signature and use up its challenge; `None` where it has none. Raises `PasskeyRejected`.

    `person` is the voter, merges followed. The passkey must be their own by registration: those of a merged record
    count no more, so that the ledger alone shows whose it was.
    """
    signed = ballot.signed
    if signed is None:
        return None
    row = _own(tx, person, signed)
    if row.created_at >= request.opened_at_ms:
        raise PasskeyRejected(
            "this passkey is younger than the request, and so does not count for it: use an older one, or let somebody"
            " else decide"
        )
    nonce = _use_up(tx, request, voter, person, ballot, challenge_in(signed))
    _verify(tx, row, person, _challenge(request, ballot, nonce), signed)
    return Proof(row.id, nonce, signed.assertion)


def require_signature(tx: Tx, person: str, challenge: bytes, signed: Signed) -> None:
    """Check that one of a person's passkeys signed a challenge that is no vote's. Raises `PasskeyRejected`.

    The caller has found the challenge open, and used it up.
    """
    _verify(tx, _own(tx, person, signed), person, challenge, signed)


def challenge_in(signed: Signed) -> bytes:
    """The challenge that a passkey's answer names. Raises `PasskeyRejected`."""
    try:
        return claimed_challenge(signed.assertion.client)
    except AssertionInvalid as error:
        raise PasskeyRejected(str(error)) from None


def _own(tx: Tx, person: str, signed: Signed) -> Row[object]:
    row = tx.execute(
        select(tables.passkeys).where(
            _P.credential_id == signed.credential, _P.person_id == person, _P.removed_at.is_(None)
        )
    ).one_or_none()
    if row is None:
        raise PasskeyRejected("this passkey is not one of yours here: register it first, on your page of passkeys")
    return row


def _verify(tx: Tx, row: Row[object], person: str, challenge: bytes, signed: Signed) -> None:
    registration = Registration(row.id, person, row.public_key, row.rp, row.origin)
    try:
        count = verify_assertion(registration, challenge, signed.assertion)
    except AssertionInvalid as error:
        raise PasskeyRejected(str(error)) from None
    _count(tx, row.id, count)


def _challenge(request: Request, ballot: Ballot, nonce: str) -> bytes:
    return challenge_of(
        digest=request.action.digest,
        request=request.id,
        shown=ballot.shown_digest,
        verdict=ballot.verdict.value,
        nonce=nonce,
    )


def _use_up(tx: Tx, request: Request, voter: Voter, person: str, ballot: Ballot, challenge: bytes) -> str:
    """The nonce of a challenge that was asked for this very vote in this session, and that nobody has used."""
    row = tx.execute(
        select(tables.passkey_challenges).where(_C.challenge == challenge, _C.purpose == VOTE)
    ).one_or_none()
    if row is None or row.person_id != person or row.session_id != voter.session or row.expires_at <= tx.now_ms:
        raise PasskeyRejected("the passkey signed a challenge that is not open for you: press the button again")
    if not secrets.compare_digest(challenge, _challenge(request, ballot, row.nonce)):
        raise PasskeyRejected("the passkey signed another vote than this one: look at the request again, then decide")
    taken = tx.execute(
        update(tables.passkey_challenges)
        .where(_C.challenge == challenge, _C.used_at.is_(None))
        .values(used_at=tx.now_ms)
    )
    if taken.rowcount != 1:
        raise PasskeyRejected("the passkey's challenge was used before: press the button again")
    return str(row.nonce)


def _count(tx: Tx, passkey: str, count: int) -> None:
    """Move the signature counter on. One that does not grow says that there are two of this authenticator."""
    moved = tx.execute(
        update(tables.passkeys)
        .where(
            _P.id == passkey, _P.removed_at.is_(None), (_P.sign_count < count) | ((_P.sign_count == 0) & (count == 0))
        )
        .values(sign_count=count, used_at=tx.now_ms)
    )
    if moved.rowcount != 1:
        raise PasskeyRejected(
            "this passkey's counter went back, as that of a copy would: remove it and register another"
        )
