"""Webhooks: what the gate put in the outbox, signed and sent until it arrives (Standard Webhooks).

Rows are committed with the change that they tell of. Several replicas share them: a row belongs to whoever moves its
next attempt on first. A receiver may see an event twice and knows it by `webhook-id`.
"""

from __future__ import annotations

import asyncio
import base64
import fnmatch
import hashlib
import hmac
import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
from sqlalchemy import select, update

from consentry.errors import ConsentryError
from consentry.server.build import target_of
from consentry.server.logs import log
from consentry.server.settings_channels import WebhookSettings
from consentry.store import Store, Tx, tables

if TYPE_CHECKING:
    from consentry.store.store import News

TIMEOUT_S = 10.0
LEASE_MS = 60_000
BATCH = 20
MAX_ATTEMPTS = 16
FIRST_DELAY_MS = 2_000
MAX_DELAY_MS = 6 * 3_600_000
_O = tables.outbox.c


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event on its way to one receiver."""

    id: str
    target: str
    kind: str
    payload: str
    attempts: int


def sign(secret: bytes, parcel_id: str, timestamp: int, body: str) -> str:
    """The `webhook-signature` header: HMAC-SHA256 over id, time in seconds and body."""
    mac = hmac.new(secret, f"{parcel_id}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(mac).decode('ascii')}"


def key_of(secret: str) -> bytes:
    """The key behind a secret; those of Standard Webhooks are base64 after `whsec_`."""
    if secret.startswith("whsec_"):
        return base64.b64decode(secret.removeprefix("whsec_"))
    return secret.encode("utf-8")


def delay_ms(attempts: int, chance: float) -> int:
    """How long to wait after so many attempts: doubling, at most six hours, spread by `chance` in 0…1."""
    full = min(MAX_DELAY_MS, FIRST_DELAY_MS << min(attempts, 20))
    return int(full * (0.5 + 0.5 * chance))


def wanted(hook: WebhookSettings, kind: str) -> bool:
    """Whether a receiver asked for events of this kind."""
    return any(fnmatch.fnmatchcase(kind, pattern) for pattern in hook.events)


class Deliverer:
    """Sends what is due, for as long as it runs."""

    def __init__(
        self, store: Store, hooks: tuple[WebhookSettings, ...], *, client: httpx2.AsyncClient | None = None
    ) -> None:
        self._store = store
        self._hooks: Mapping[str, WebhookSettings] = {target_of(hook): hook for hook in hooks}
        self._client = client
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled. Without receivers there is nothing to do."""
        if not self._hooks:
            return
        stop = self._store.listen(self._hear)
        client = self._client or httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)
        try:
            while True:
                self._news.clear()
                try:
                    sent = await self.deliver(client)
                except ConsentryError as error:
                    log(logging.WARNING, "webhooks_waiting", code=error.code)
                    sent = 0
                if not sent:
                    await self._pause()
        finally:
            stop()
            await client.aclose()

    def _hear(self, _news: News) -> None:
        self._news.set()

    async def _pause(self) -> None:
        """Until something is committed, or a retry may be due."""
        try:
            await asyncio.wait_for(self._news.wait(), 2.0)
        except TimeoutError:
            return

    async def deliver(self, client: httpx2.AsyncClient) -> int:
        """Send what is due now; how many parcels were tried."""
        if not await self._store.read(self._any_due):
            return 0
        parcels = await self._store.write(self._take)
        await asyncio.gather(*(self._send(client, parcel) for parcel in parcels))
        return len(parcels)

    def _any_due(self, tx: Tx) -> bool:
        query = select(_O.id).where(_O.done_at.is_(None), _O.next_at <= tx.now_ms, _O.target.in_(self._hooks))
        return tx.execute(query.limit(1)).first() is not None

    def _take(self, tx: Tx) -> list[Parcel]:
        """Claim rows by moving their next attempt on, so that no other replica sends them meanwhile."""
        due = (
            select(tables.outbox)
            .where(_O.done_at.is_(None), _O.next_at <= tx.now_ms, _O.target.in_(self._hooks))
            .order_by(_O.next_at)
            .limit(BATCH)
        )
        taken = []
        for row in tx.execute(due).all():
            moved = tx.execute(
                update(tables.outbox)
                .where(_O.id == row.id, _O.next_at == row.next_at, _O.done_at.is_(None))
                .values(next_at=tx.now_ms + LEASE_MS, attempts=row.attempts + 1)
            )
            if moved.rowcount == 1:
                taken.append(Parcel(row.id, row.target, row.kind, row.payload, row.attempts + 1))
        return taken

    async def _send(self, client: httpx2.AsyncClient, parcel: Parcel) -> None:
        hook = self._hooks[parcel.target]
        error = await self._post(client, hook, parcel) if wanted(hook, parcel.kind) else None
        await self._store.write(lambda tx: _settle(tx, parcel, error))
        if error is not None:
            log(logging.WARNING, "webhook_failed", id=parcel.id, attempts=parcel.attempts, error=error)

    async def _post(self, client: httpx2.AsyncClient, hook: WebhookSettings, parcel: Parcel) -> str | None:
        """Why it did not arrive, in our words, or `None`."""
        timestamp = self._store.clock_ms() // 1000
        try:
            key = key_of(hook.secret.reveal())
            answer = await client.post(
                hook.url,
                content=parcel.payload.encode("utf-8"),
                headers={
                    "content-type": "application/json",
                    "user-agent": "consentry",
                    "webhook-id": parcel.id,
                    "webhook-timestamp": str(timestamp),
                    "webhook-signature": sign(key, parcel.id, timestamp, parcel.payload),
                },
            )
        except (httpx2.HTTPError, OSError, ValueError, ConsentryError) as error:
            return type(error).__name__
        return None if 200 <= answer.status_code < 300 else f"status {answer.status_code}"


def _settle(tx: Tx, parcel: Parcel, error: str | None) -> None:
    """Done, or tried again later; after the last attempt it stays as it is, with its error, for people to see."""
    values: dict[str, object] = {"last_error": error}
    if error is None or parcel.attempts >= MAX_ATTEMPTS:
        values["done_at"] = tx.now_ms
    else:
        values["next_at"] = tx.now_ms + delay_ms(parcel.attempts, random.random())  # noqa: S311 (spreads load)
    tx.execute(update(tables.outbox).where(_O.id == parcel.id).values(**values))
