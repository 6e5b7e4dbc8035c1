"""Posts to a workflow.

It can neither be asked whether one arrived nor change it: where an answer was lost, the post is sent again.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

from consentry.channels.model import NoteKind, Outgoing, Posted, RateLimited, Remark, SendFailed
from consentry.channels.outside import Caller, one_attempt, wait_ms
from consentry.channels.teams_webhook import render
from consentry.channels.teams_webhook.route import WORKFLOW
from consentry.identity.oidc_http import require_safe


class WebhookSender(Caller):
    """`address` reads the workflow's address when it is needed: it is a secret, and stands in no error."""

    gap_ms = 1_000

    def __init__(self, address: Callable[[], str]) -> None:
        super().__init__()
        self._address = address

    async def post(self, message: Outgoing) -> Posted:
        await self._send(message, message.id, None)
        return Posted(WORKFLOW, message.id)

    async def update(self, posted: Posted, message: Outgoing) -> None:
        """What was posted stays as it is."""

    async def note(self, posted: Posted, remark: Remark) -> str:
        await self._send(remark.message, remark.id, remark.kind)
        return remark.id

    async def _send(self, message: Outgoing, message_id: str, kind: NoteKind | None) -> None:
        url = require_safe(self._address())
        body = orjson.dumps(render.message(message.card, message_id, message.role, kind))
        headers = {"content-type": "application/json; charset=utf-8"}
        with one_attempt("the workflow cannot be reached", "a message to the workflow"):
            async with self.session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status, told = answer.status, answer.headers
        if status == 429:
            raise RateLimited(wait_ms(told.get("retry-after", "")))
        if not 200 <= status < 300:
            raise SendFailed(f"the workflow answered with status {status}", ambiguous=status >= 500)
