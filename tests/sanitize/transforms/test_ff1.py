"""FF1 against the sample data that NIST publishes for SP 800-38G."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.errors import InvalidInput
from consentry.sanitize.transforms.ff1 import FF1, DomainTooSmall

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
K128 = "2B7E151628AED2A6ABF7158809CF4F3C"
K192 = K128 + "EF4359D8D580AA4F"
K256 = K192 + "7F036D6F04FC6A94"
TEN = "39383736353433323130"
ELEVEN = "3737373770717273373737"


@pytest.mark.parametrize(
    ("key", "radix", "tweak", "plain", "cipher"),
    [
        (K128, 10, "", "0123456789", "2433477484"),
        (K128, 10, TEN, "0123456789", "6124200773"),
        (K128, 36, ELEVEN, "0123456789abcdefghi", "a9tv40mll9kdu509eum"),
        (K192, 10, "", "0123456789", "2830668132"),
        (K192, 10, TEN, "0123456789", "2496655549"),
        (K192, 36, ELEVEN, "0123456789abcdefghi", "xbj3kv35jrawxv32ysr"),
        (K256, 10, "", "0123456789", "6657667009"),
        (K256, 10, TEN, "0123456789", "1001623463"),
        (K256, 36, ELEVEN, "0123456789abcdefghi", "xs8a0azh2avyalyzuwd"),
    ],
)
def test_nist_samples(key: str, radix: int, tweak: str, plain: str, cipher: str) -> None:
    ff1 = FF1(bytes.fromhex(key), radix)
    numerals = [DIGITS.index(letter) for letter in plain]
    out = ff1.encrypt(numerals, bytes.fromhex(tweak))
    assert "".join(DIGITS[one] for one in out) == cipher
    assert ff1.decrypt(out, bytes.fromhex(tweak)) == numerals


@given(
    st.lists(st.integers(0, 9), min_size=6, max_size=60), st.binary(max_size=40), st.binary(min_size=32, max_size=32)
)
def test_decrypt_undoes_encrypt(numerals: list[int], tweak: bytes, key: bytes) -> None:
    ff1 = FF1(key, 10)
    assert ff1.decrypt(ff1.encrypt(numerals, tweak), tweak) == numerals


@pytest.mark.parametrize("numerals", [[], [1], [1, 2, 3, 4, 5]])
def test_small_domains_are_refused(numerals: list[int]) -> None:
    with pytest.raises(DomainTooSmall):
        FF1(bytes(16), 10).encrypt(numerals)


def test_numerals_outside_the_radix_are_refused() -> None:
    with pytest.raises(InvalidInput):
        FF1(bytes(16), 10).encrypt([1, 2, 3, 4, 5, 10])


def test_no_two_values_meet() -> None:
    ff1 = FF1(bytes(32), 10)
    out = {tuple(ff1.encrypt([int(d) for d in f"{n:06}"])) for n in range(0, 1_000_000, 997)}
    assert len(out) == len(range(0, 1_000_000, 997))
