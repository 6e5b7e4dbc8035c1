"""Keys by reference, and one key per purpose out of one root."""

from __future__ import annotations

import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from consentry.errors import ConsentryError

MIN_KEY_BYTES: Final = 16
_LABEL: Final = b"consentry sanitize v1\n"


class KeyUnusable(ConsentryError):
    """A key reference that leads nowhere, or to something too weak."""

    code: ClassVar[str] = "key_unusable"
    status: ClassVar[int] = 400


@dataclass(frozen=True, slots=True)
class KeyRing:
    """A root key from which each transform and each entity type takes its own.

    `ephemeral` says that the root was drawn for this run: what it makes is consistent within the run only.
    """

    root: bytes = field(repr=False)
    ephemeral: bool = False

    def key(self, *purpose: str) -> bytes:
        """32 bytes for one purpose; HMAC-SHA256 over the parts with their lengths, so no two purposes collide."""
        message = _LABEL + b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in purpose)
        return hmac.digest(self.root, message, "sha256")

    @classmethod
    def from_reference(cls, reference: str | None) -> KeyRing:
        """The ring of `env:NAME` or `file:PATH`; a fresh one where there is no reference. Raises `KeyUnusable`."""
        if reference is None:
            return cls(secrets.token_bytes(32), ephemeral=True)
        return cls(read_key(reference))


def read_key(reference: str) -> bytes:
    """The bytes behind `env:NAME` or `file:PATH`, less one trailing newline. Raises `KeyUnusable`."""
    scheme, _, rest = reference.partition(":")
    if scheme == "env" and rest:
        found = os.environ.get(rest)
        if found is None:
            raise KeyUnusable(f"the key `{reference}` is not set; export the variable or name another key")
        key = found.encode()
    elif scheme == "file" and rest:
        try:
            key = Path(rest).read_bytes()
        except OSError as error:
            raise KeyUnusable(f"the key `{reference}` cannot be read: {error.strerror}") from error
    else:
        raise KeyUnusable("a key is given by reference, `env:NAME` or `file:PATH`, never in clear")
    key = key.removesuffix(b"\n").removesuffix(b"\r")
    if len(key) < MIN_KEY_BYTES:
        raise KeyUnusable(
            f"the key `{reference}` has under {MIN_KEY_BYTES} bytes; make one with `openssl rand -hex 32`"
        )
    return key
