"""Where the bot may write: what Teams told of conversations, and who of them may decide."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, select, update

from consentry.channels.rows import chat_users
from consentry.channels.teams.config import TeamsConfig
from consentry.consent.core import authors_now
from consentry.consent.eligibility import current_sets
from consentry.consent.roster import Directory
from consentry.consent.rows import load_request
from consentry.consent.states import RequestState
from consentry.store import Store, Tx, tables
from consentry.store.tx import Row

CHANNEL = "teams"
ANY = "*"
"""Stands for the tenant as a whole, where only its service address is wanted."""

_P = tables.channel_places.c


class Book:
    """The places of one tenant, kept in the store."""

    def __init__(self, store: Store, config: TeamsConfig, directory: Directory | None = None) -> None:
        self._store = store
        self._config = config
        self._directory = directory or Directory()

    async def remember(self, subject: str, address: str, service_url: str) -> None:
        """Keep where somebody is reached (`ANY`: only the tenant's service). Writes where that is news."""
        told = (address, service_url.rstrip("/"))
        if await self._store.read(lambda tx: self._known(tx, subject)) != told:
            await self._store.write(lambda tx: self._keep(tx, subject, *told))

    async def forget(self, subject: str) -> None:
        """The bot was taken out of somebody's chats."""
        await self._store.write(
            lambda tx: tx.execute(delete(tables.channel_places).where(*self._mine(), _P.subject == subject))
        )

    async def person(self, subject: str) -> str | None:
        """The conversation with a person, or `None` where there is none any more."""
        known = await self._store.read(lambda tx: self._known(tx, subject))
        return None if known is None else known[0]

    async def service_url(self) -> str:
        """The service of the tenant as it was told last; that of the settings before anything was."""
        query = select(_P.service_url).where(*self._mine()).order_by(_P.at.desc(), _P.subject).limit(1)
        found = await self._store.read(lambda tx: tx.execute(query).scalar_one_or_none())
        return str(found) if found is not None else self._config.service_url.rstrip("/")

    async def deciders(self, request_id: str) -> tuple[str, ...]:
        """The linked users who may decide a request now."""

        def ask(tx: Tx) -> tuple[str, ...]:
            request, roster = load_request(tx, request_id), self._directory.current(tx)
            if request.state is not RequestState.PENDING:
                return ()
            persons = frozenset[str]().union(*current_sets(request, roster, authors_now(tx, request, roster)))
            return tuple(user for _, user in chat_users(tx, CHANNEL, persons, self._config.tenant))

        return await self._store.read(ask)

    def _mine(self) -> tuple[ColumnElement[bool], ...]:
        return _P.channel == CHANNEL, _P.issuer == self._config.tenant

    def _known(self, tx: Tx, subject: str) -> tuple[str, str] | None:
        query = select(_P.address, _P.service_url).where(*self._mine(), _P.subject == subject)
        row = tx.execute(query).one_or_none()
        return None if row is None else (str(row.address), str(row.service_url))

    def _keep(self, tx: Tx, subject: str, address: str, service_url: str) -> None:
        values: Row = {"address": address, "service_url": service_url, "at": tx.now_ms}
        key = {"channel": CHANNEL, "issuer": self._config.tenant, "subject": subject}
        if not tx.insert_missing(tables.channel_places, {**key, **values}):
            tx.execute(update(tables.channel_places).where(*self._mine(), _P.subject == subject).values(**values))
