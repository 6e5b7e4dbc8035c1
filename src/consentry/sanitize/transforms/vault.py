"""Tokens: random stand-ins whose values lie, encrypted, in a vault, and come back only through it.

What each store costs: whoever holds the vault and its key holds every tokenised value; without the key the vault
gives nothing but counts; without the vault no token comes back.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

from consentry.errors import ConsentryError, NotFound
from consentry.sanitize.transforms import marks
from consentry.sanitize.transforms.base import About
from consentry.sanitize.transforms.keys import KeyRing

_NONCE_BYTES: Final = 12
_TRIES: Final = 8


class VaultBroken(ConsentryError):
    """A vault entry does not decrypt: another key, or somebody wrote in it."""

    code: ClassVar[str] = "vault_broken"
    status: ClassVar[int] = 500


@dataclass(frozen=True, slots=True)
class Sealed:
    """One vault row. `fingerprint` is a keyed hash of type and value, so that a value has one token; `sealed` is
    nonce and AES-256-GCM ciphertext, bound to type and token."""

    token: bytes
    entity: str
    fingerprint: bytes
    sealed: bytes


class VaultStore(Protocol):
    """Where sealed rows lie.

    `add` is atomic and durable before it returns, across processes: it stores the row unless one with its entity and
    fingerprint stands, and returns the row that stands; None when the token is taken by another value.
    """

    def find(self, entity: str, fingerprint: bytes) -> Sealed | None: ...

    def add(self, row: Sealed) -> Sealed | None: ...

    def get(self, token: bytes) -> Sealed | None: ...


class Vault:
    """Gives a value its token, and the token's value back through `reveal` only."""

    def __init__(
        self, store: VaultStore, keys: KeyRing, random_bytes: Callable[[int], bytes] = secrets.token_bytes
    ) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._store = store
        self._random = random_bytes
        self._match = keys.key("vault", "fingerprint")
        self._aead = AESGCM(keys.key("vault", "seal"))

    def token(self, entity: str, value: str) -> str:
        """The mark that stands for this value, the same each time."""
        raw = value.encode("utf-8", "surrogatepass")
        fingerprint = hmac.digest(self._match, entity.encode() + b"\0" + raw, "sha256")
        row = self._store.find(entity, fingerprint)
        for _ in range(_TRIES):
            if row is not None:
                return marks.mark(entity, marks.TOKEN, row.token)
            row = self._store.add(self._seal(entity, fingerprint, raw))
        raise VaultBroken("the vault found no free token in eight tries; its random source repeats itself")

    def reveal(self, token: str) -> str:
        """The value behind a token. Seeing it is an action (`pii.reveal`): ask the gate before calling.

        Raises `NotFound` for what is no token of this vault, `VaultBroken` where the entry does not decrypt.
        """
        found = marks.find_tokens(token)
        if len(found) != 1 or found[0][:2] != (0, len(token)):
            raise NotFound("the text is not one token of the form `<TYPE:letters>`")
        row = self._store.get(found[0][3])
        if row is None or row.entity != found[0][2]:
            raise NotFound("the vault holds no such token; was it made by another vault?")
        return self._open(row)

    def _seal(self, entity: str, fingerprint: bytes, raw: bytes) -> Sealed:
        token, nonce = self._random(marks.BODY_BYTES), self._random(_NONCE_BYTES)
        return Sealed(token, entity, fingerprint, nonce + self._aead.encrypt(nonce, raw, token + entity.encode()))

    def _open(self, row: Sealed) -> str:
        from cryptography.exceptions import InvalidTag

        nonce, sealed = row.sealed[:_NONCE_BYTES], row.sealed[_NONCE_BYTES:]
        try:
            raw = self._aead.decrypt(nonce, sealed, row.token + row.entity.encode())
        except InvalidTag as error:
            raise VaultBroken(
                "a vault entry does not decrypt; is the vault's key the one that it was made with?"
            ) from error
        return raw.decode("utf-8", "surrogatepass")


@dataclass(frozen=True, slots=True)
class Tokenise:
    """Writes a token of the vault in the value's place."""

    vault: Vault
    _known: dict[tuple[str, str], str] = field(default_factory=dict, compare=False, repr=False)

    def of(self, value: str, about: About) -> str:
        return self.vault.token(about.type, value)

    def made(self, value: str, about: About) -> bool:
        return marks.find_marks(value) == [(0, len(value))]
