"""One place: the channel that the workflow posts to."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.store import Tx

WORKFLOW = "workflow"


class WebhookRoute:
    """Everything that is asked; nobody in particular is told the end."""

    channel = "teams_webhook"
    editable = False

    def reviewers(self, tx: Tx, resource: str, groups: Sequence[str], persons: frozenset[str]) -> Sequence[str]:
        return [WORKFLOW]

    def requesters(self, tx: Tx, persons: frozenset[str]) -> Sequence[str]:
        return []
