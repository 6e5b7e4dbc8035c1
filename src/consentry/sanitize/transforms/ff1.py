"""FF1, the format-preserving encryption of NIST SP 800-38G (revision 1 for the least domain)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from consentry.errors import InvalidInput

MIN_DOMAIN: Final = 1_000_000
"""radix ** length must reach this (SP 800-38G revision 1, section 5.1)."""

_ROUNDS: Final = 10


class DomainTooSmall(InvalidInput):
    """So few values fit the format that encrypting would not hide them."""

    code: ClassVar[str] = "domain_too_small"


class FF1:
    """Encrypts numeral strings to numeral strings of the same radix and length.

    `key` is an AES key of 16, 24 or 32 bytes. Numerals are integers in 0…radix-1, most significant first. Values of
    two tweaks are unrelated; a tweak is no secret.
    """

    def __init__(self, key: bytes, radix: int) -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

        if not 2 <= radix <= 1 << 16:
            raise InvalidInput(f"the radix `{radix}` lies outside 2…65536")
        self._radix = radix
        # ECB of single blocks is the block cipher itself, which is what SP 800-38G is built from.
        self._block = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305

    def encrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Raises `DomainTooSmall` when radix ** len(numerals) is under `MIN_DOMAIN`."""
        return self._run(numerals, tweak, range(_ROUNDS), 1)

    def decrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """The inverse of `encrypt` under the same key and tweak."""
        return self._run(numerals, tweak, range(_ROUNDS - 1, -1, -1), -1)

    def _run(self, numerals: Sequence[int], tweak: bytes, rounds: range, sign: int) -> list[int]:
        """Algorithms 7 and 8; the halves are kept as integers, so NUM and STR happen once, at the edges."""
        radix, n = self._radix, len(numerals)
        self._check(numerals)
        u = n // 2
        v = n - u
        size_a, size_b = radix**u, radix**v
        b = ((size_b - 1).bit_length() + 7) // 8
        d = 4 * ((b + 3) // 4) + 4
        first = (
            b"\x01\x02\x01"
            + radix.to_bytes(3, "big")
            + b"\x0a"
            + bytes([u % 256])
            + n.to_bytes(4, "big")
            + len(tweak).to_bytes(4, "big")
        )
        padded = tweak + bytes((-len(tweak) - b - 1) % 16)
        start = self._block.update(first)
        a, c = _number(numerals[:u], radix), _number(numerals[u:], radix)
        for i in rounds:
            half, other = (c, a) if sign > 0 else (a, c)
            y = self._round(start, padded + bytes([i]) + half.to_bytes(b, "big"), d)
            mixed = (other + sign * y) % (size_a if i % 2 == 0 else size_b)
            a, c = (c, mixed) if sign > 0 else (mixed, a)
        return _numerals(a, radix, u) + _numerals(c, radix, v)

    def _round(self, state: bytes, message: bytes, d: int) -> int:
        """Steps ii to iv: PRF (CBC-MAC), then as many further blocks as `d` bytes need."""
        encrypt = self._block.update
        for at in range(0, len(message), 16):
            state = encrypt(_xor(state, message[at : at + 16]))
        blocks = [state] + [encrypt(_xor(state, j.to_bytes(16, "big"))) for j in range(1, (d + 15) // 16)]
        return int.from_bytes(b"".join(blocks)[:d], "big")

    def _check(self, numerals: Sequence[int]) -> None:
        if len(numerals) < 2 or self._radix ** len(numerals) < MIN_DOMAIN:
            raise DomainTooSmall(
                f"`{len(numerals)}` numerals of radix {self._radix} are under {MIN_DOMAIN:,} values; use tokens instead"
            )
        if not all(0 <= one < self._radix for one in numerals):
            raise InvalidInput(f"a numeral lies outside 0…{self._radix - 1}")


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(16, "big")


def _number(numerals: Sequence[int], radix: int) -> int:
    total = 0
    for one in numerals:
        total = total * radix + one
    return total


def _numerals(number: int, radix: int, length: int) -> list[int]:
    out = [0] * length
    for at in range(length - 1, -1, -1):
        number, out[at] = divmod(number, radix)
    return out
