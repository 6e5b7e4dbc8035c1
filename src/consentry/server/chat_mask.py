"""What chat messages and e-mails may say of a value: personal data and secrets become their type (invariant 10)."""

from __future__ import annotations

import ipaddress
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentry.sanitize import Finding, Sanitizer

SHOWN = frozenset({"DATE_TIME", "ORGANIZATION", "LOCATION", "URL", "DOMAIN_NAME"})
"""What says nothing of one person by itself: dates, firms, towns and addresses of sites."""

SAMPLED = 6
"""A value of at least so many characters keeps its first and its last one."""


class ChatMask:
    """Finds with everything that the sanitizer has, names included. Loaded with the first text; usable from threads."""

    def __init__(self) -> None:
        self._sanitizer: Sanitizer | None = None
        self._lock = threading.Lock()

    def __call__(self, text: str) -> str:
        """The text with a masked sample in place of each finding. Raises where it could not be looked at."""
        parts, end = [], 0
        for one in self._load().scan(text):
            if one.type in SHOWN or _is_inside(one.type, text[one.start : one.end]):
                continue
            parts += [text[end : one.start], _sample(one, text[one.start : one.end])]
            end = one.end
        return "".join([*parts, text[end:]])

    def _load(self) -> Sanitizer:
        with self._lock:
            if self._sanitizer is None:
                from consentry.sanitize import Sanitizer

                self._sanitizer = Sanitizer.default()
            return self._sanitizer


def _is_inside(kind: str, value: str) -> bool:
    """Whether this is an address of a private network: a host of ours, and nobody's."""
    if kind != "IP_ADDRESS":
        return False
    try:
        return ipaddress.ip_address(value).is_private
    except ValueError:
        return False


def _sample(found: Finding, value: str) -> str:
    if found.type == "SECRET" or len(value) < SAMPLED:
        return f"[{found.type}]"
    return f"[{found.type} {value[0]}…{value[-1]}]"
