"""Posts to a workflow.

It can neither be asked whether one arrived nor change it: where an answer was lost, the post is sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

import aiohttp
import orjson

from consentry.channels.model import NoteKind, Outgoing, Posted, RateLimited, Remark, SendFailed
from consentry.channels.teams.api import TIMEOUT_S, wait_ms
from consentry.channels.teams_webhook import render
from consentry.channels.teams_webhook.route import WORKFLOW
from consentry.identity.oidc_http import require_safe


class WebhookSender:
    """`address` reads the workflow's address when it is needed: it is a secret, and stands in no error."""

    gap_ms = 1_000

    def __init__(self, address: Callable[[], str]) -> None:
        self._address = address
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, message: Outgoing) -> Posted:
        await self._send(message, message.id, None)
        return Posted(WORKFLOW, message.id)

    async def update(self, posted: Posted, message: Outgoing) -> None:
        """What was posted stays as it is."""

    async def note(self, posted: Posted, remark: Remark) -> str:
        await self._send(remark.message, remark.id, remark.kind)
        return remark.id

    async def _send(self, message: Outgoing, message_id: str, kind: NoteKind | None) -> None:
        if self._session is None:
            raise SendFailed("the webhook is not open")
        url = require_safe(self._address())
        body = orjson.dumps(render.message(message.card, message_id, message.role, kind))
        headers = {"content-type": "application/json; charset=utf-8"}
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status, told = answer.status, answer.headers
        except aiohttp.ClientConnectorError:
            raise SendFailed("the workflow cannot be reached") from None
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise SendFailed(f"a message to the workflow was lost: {type(error).__name__}", ambiguous=True) from None
        if status == 429:
            raise RateLimited(wait_ms(told.get("retry-after", "")))
        if not 200 <= status < 300:
            raise SendFailed(f"the workflow answered with status {status}", ambiguous=status >= 500)
