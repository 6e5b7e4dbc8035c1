"""Commitments open with their value and salt, and with nothing else."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.ledger.commit import commit, open_commitment
from consentry.ledger.errors import CommitmentMismatch, LedgerError

SALTS = st.binary(min_size=32, max_size=32)


@given(st.binary(), SALTS)
def test_opens_with_value_and_salt(value: bytes, salt: bytes) -> None:
    made = commit(value, salt)
    open_commitment(made, value, salt)
    assert made == sha256(b"consentry commitment v1\n" + salt + value).hexdigest()


@given(st.binary(), SALTS, st.binary(), SALTS)
def test_opens_with_nothing_else(value: bytes, salt: bytes, other: bytes, other_salt: bytes) -> None:
    if (value, salt) != (other, other_salt):
        with pytest.raises(CommitmentMismatch) as refused:
            open_commitment(commit(value, salt), other, other_salt)
        assert refused.value.code == "commitment_mismatch"


def test_a_salt_has_32_bytes_so_that_value_and_salt_cannot_shift() -> None:
    for size in (0, 31, 33):
        with pytest.raises(LedgerError):
            commit(b"value", bytes(size))


def test_a_commitment_that_is_not_ascii_is_refused() -> None:
    with pytest.raises(CommitmentMismatch):
        open_commitment("é" * 64, b"value", bytes(32))
