"""Addresses of machines and mailboxes.

Sources: RFC 5321 and RFC 5322 (mailboxes), RFC 3986 (URLs), RFC 4291 and RFC 5952 (IPv6), IEEE 802 (MAC).
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from consentry.sanitize.checks.domains import TOP_LEVEL, WORDS_TOO


def top_level(host: str) -> bool:
    """Whether a host name ends in a top-level domain that exists."""
    last = host.rpartition(".")[2].lower()
    return last in TOP_LEVEL or last.startswith("xn--")


def email(text: str) -> bool:
    """A mailbox: no misplaced dots, a local part and labels within their limits, a domain that can exist."""
    local, _, host = text.rpartition("@")
    return len(local) <= 64 and ".." not in text and local[-1] != "." and top_level(host)


@lru_cache(maxsize=4096)
def host(name: str) -> bool:
    """A host that can exist: a name under a known domain, an address or `localhost`."""
    if name.startswith("[") or name.replace(".", "").isdigit() or name == "localhost":
        return True
    return "." in name and top_level(name.rstrip("."))


def domain(text: str) -> bool | None:
    """A name without a scheme: confirmed unless it could as well be a file, or two sentences without a blank."""
    labels = text.partition("/")[0].lower().split(".")
    if labels[-1] in WORDS_TOO and len(labels) == 2:
        return None
    return not labels[-2].isdigit()


def ipv6(text: str) -> bool | None:
    """An IPv6 address. The unspecified one and those of one or two groups name nobody: possible, not confirmed."""
    try:
        address = ipaddress.IPv6Address(text.partition("%")[0].partition("/")[0])
    except ValueError:
        return False
    return None if int(address) < 0x10000 or (text.count(":") < 3 and len(text) < 6) else True


def mac(text: str) -> bool:
    """A hardware address other than broadcast and nought."""
    return len(set(text.lower().replace(":", "").replace("-", "").replace(".", ""))) > 1
