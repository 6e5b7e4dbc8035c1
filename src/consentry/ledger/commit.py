"""Salted commitments: what an entry says of a sensitive value, so that the value can be erased later.

The entry holds `commit(value, salt)`; value and salt live in an erasable table. Whoever is shown both can check them
against the entry; once they are erased, the entry tells nothing about the value, however few values are possible.
"""

from __future__ import annotations

import hmac
from hashlib import sha256

from consentry.ledger.errors import CommitmentMismatch, LedgerError

SALT_BYTES = 32
_DOMAIN = b"consentry commitment v1\n"


def commit(value: bytes, salt: bytes) -> str:
    """The commitment to `value` under 32 random bytes of `salt`: SHA-256 with a domain of its own, in hex.

    A salt is used for one value only: two values under one salt could be compared with each other.
    """
    if len(salt) != SALT_BYTES:
        raise LedgerError(f"a commitment's salt is {SALT_BYTES} random bytes, not `{len(salt)}`")
    return sha256(_DOMAIN + salt + value).hexdigest()


def open_commitment(commitment: str, value: bytes, salt: bytes) -> None:
    """Check a disclosed value against the commitment in an entry; raises `CommitmentMismatch`."""
    if not hmac.compare_digest(commit(value, salt).encode(), commitment.encode()):
        raise CommitmentMismatch("the disclosed value and salt do not open the commitment in the entry")
