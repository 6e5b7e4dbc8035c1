"""Keyed hashes: the same value gives the same mark, and nobody without the key can try values against it."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from consentry.sanitize.transforms import marks
from consentry.sanitize.transforms.base import About
from consentry.sanitize.transforms.keys import KeyRing


@dataclass(frozen=True, slots=True)
class KeyedHash:
    """HMAC-SHA256 under a key of the type's own, cut to 80 bits: one value under two types gives unrelated marks."""

    keys: KeyRing
    _by_type: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)

    def of(self, value: str, about: About) -> str:
        key = self._by_type.get(about.type)
        if key is None:
            key = self._by_type[about.type] = self.keys.key("hash", about.type)
        body = hmac.digest(key, value.encode("utf-8", "surrogatepass"), "sha256")[: marks.BODY_BYTES]
        return marks.mark(about.type, marks.HASH, body)

    def made(self, value: str, about: About) -> bool:
        return marks.find_marks(value) == [(0, len(value))]
