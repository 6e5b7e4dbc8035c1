"""Mailboxes beyond those that RFC 5321 writes in ASCII under a public domain.

Sources: RFC 6531 (letters of other scripts), RFC 2606, RFC 6762 and the draft of ICANN's `.internal` (domains that are
nobody's in public, and many a company's).
"""

from __future__ import annotations

from typing import Final

from consentry.sanitize.checks.network import top_level

INTERNAL: Final = (
    *("local", "localdomain", "localhost", "internal", "intranet", "corp", "lan", "home", "private", "priv"),
    *("domain", "ad", "test", "example", "invalid"),
)


def mailbox(text: str) -> bool:
    """A mailbox: no misplaced dots, a local part and labels within their limits, a domain that can exist."""
    local, _, host = text.rpartition("@")
    return len(local) <= 64 and ".." not in text and local[-1] != "." and top_level(host)


def in_other_scripts(text: str) -> bool:
    """A mailbox with a letter beyond ASCII in it, under a domain that can exist."""
    local, _, host = text.rpartition("@")
    if text.isascii() or len(local) > 64 or ".." in text or local[-1] == ".":
        return False
    return not host.rpartition(".")[2].isascii() or top_level(host)
