"""Bearer tokens: 256 random bits behind a prefix that says what they are. Only their SHA-256 is ever stored."""

from __future__ import annotations

import hashlib
import re
import secrets

from consentry.identity.model import TokenKind

PREFIXES = {
    TokenKind.LINK: "in_",
    TokenKind.PERSON: "ps_",
    TokenKind.AGENT: "ag_",
    TokenKind.EXCHANGED: "xt_",
}
_FORM = re.compile(r"(in|ps|ag|xt)_[A-Za-z0-9_-]{43}")
_KINDS = {prefix: kind for kind, prefix in PREFIXES.items()}


def mint(kind: TokenKind) -> str:
    """A new token, which nobody can guess."""
    return PREFIXES[kind] + secrets.token_urlsafe(32)


def kind_of(token: str) -> TokenKind | None:
    """What a token says it is, or `None` where it is no token of ours. The store has the last word."""
    return _KINDS[token[:3]] if len(token) == 46 and _FORM.fullmatch(token) else None


def digest(token: str) -> bytes:
    """What is stored. 256 random bits need no slow hash and no salt."""
    return hashlib.sha256(token.encode("ascii")).digest()


def session_id(hashed: bytes) -> str:
    """The name of a session in the ledger and in lists: part of the hash, from which the token cannot be had."""
    return f"ses_{hashed[:16].hex()}"
