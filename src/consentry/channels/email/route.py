"""Who gets an e-mail about a request."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.store import Tx

PERSON = "person:"
"""A target is a person, whose address is looked up when the e-mail is sent."""


class EmailRoute:
    """Everybody who may decide, and those who asked."""

    channel = "email"
    editable = False

    def reviewers(self, tx: Tx, resource: str, groups: Sequence[str], persons: frozenset[str]) -> Sequence[str]:
        return [PERSON + person for person in sorted(persons)]

    def requesters(self, tx: Tx, persons: frozenset[str]) -> Sequence[str]:
        return [PERSON + person for person in sorted(persons)]
