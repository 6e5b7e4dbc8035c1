"""Which sessions a route takes. Every route names one of these; a route without one stops the server from starting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Who(StrEnum):
    """A kind of caller."""

    PERSON = "person"
    """Any signed-in person."""
    AGENT = "agent"
    """An agent or service, acting for somebody or not."""
    AUDITOR = "auditor"
    """A person in the group `auditors`."""
    ADMIN = "admin"
    """A person in the group `admins`."""


@dataclass(frozen=True, slots=True)
class Access:
    """Who may call a route; `open` takes anybody, signed in or not.

    INVARIANT: whatever is not named is refused.
    """

    takes: frozenset[Who] = frozenset()
    open: bool = False


ANYBODY = Access(open=True)
ANY_SESSION = Access(frozenset({Who.PERSON, Who.AGENT}))
PERSONS = Access(frozenset({Who.PERSON}))
AUDITORS_ONLY = Access(frozenset({Who.AUDITOR, Who.ADMIN}))
ADMINS_ONLY = Access(frozenset({Who.ADMIN}))
