"""Requests of low risk, collected into one message for a place instead of one each. Functions of a `Tx`.

A request that is collected is a row of `channel_messages` with the role `listed`, due when the list is. When the first
of a place is due, all that wait there go along, under the first one's id. From then on they share one message, which
says of each what became of it. Nothing expires unseen: what would have too little time left when its list is due is not
collected, and what is reminded of or escalated is sent by itself as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from sqlalchemy import ColumnElement, Row, delete, func, or_, select, update

from consentry.channels.model import Role
from consentry.consent.model import Request
from consentry.consent.states import RequestState
from consentry.store import Tx, tables
from consentry.store.tx import Row as Values

MOST = 25
"""So many requests stand in one message; more make another one."""

LEAST_LEFT_MS = 300_000
"""How much time people must have left when a list arrives, in milliseconds."""

_M = tables.channel_messages.c


@dataclass(frozen=True, slots=True)
class Digest:
    """Which requests are collected, and for how long at most (milliseconds).

    Every rule that asks must match a pattern of `rules`: one that does not is a reason to ask at once.
    """

    every_ms: int
    rules: tuple[str, ...] = ("*",)
    resources: tuple[str, ...] = ("*",)

    def takes(self, request: Request) -> bool:
        rules = [reason.policy for reason in request.reasons]
        return (
            bool(rules)
            and all(_any(self.rules, rule) for rule in rules)
            and _any(self.resources, request.action.resource)
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """One request of a list, as a row: how much there was to tell of it, and whether the message shows it."""

    id: str
    request_id: str
    version: int
    shown: bool = True


def every(digests: Sequence[Digest], request: Request) -> int | None:
    """For how long a request is collected, by the first digest that takes it; `None`: it is sent at once."""
    return next((one.every_ms for one in digests if one.takes(request)), None)


def collect(tx: Tx, channel: str, request: Request, target: str, row: Values, every_ms: int) -> bool:
    """Let a request wait for the next list of a place; whether it does. `row` is a new message of the role `listed`."""
    if request.state is not RequestState.PENDING:
        return True  # nobody is asked what is decided
    about = _M.channel == channel, _M.request_id == request.id, _M.target == target
    roles = set(tx.execute(select(_M.role).where(*about)).scalars().all())
    if roles:
        return Role.LISTED.value in roles
    waits = select(func.min(_M.next_at)).where(*_waiting(channel, target), _M.attempts == 0)
    next_list = tx.execute(waits).scalar_one_or_none()
    at = min(next_list if isinstance(next_list, int) else tx.now_ms + every_ms, tx.now_ms + every_ms)
    if request.expires_at_ms < at + LEAST_LEFT_MS:
        return False
    tx.insert_missing(tables.channel_messages, {**row, "next_at": at})
    return True


def take_out(tx: Tx, channel: str, request_id: str) -> list[str]:
    """The places in whose lists a request is: it waits in none any more, and is to be sent there by itself."""
    listed = _M.channel == channel, _M.request_id == request_id, _M.role == Role.LISTED.value
    targets = [str(one) for one in tx.execute(select(_M.target).where(*listed)).scalars().all()]
    unsent = _M.provider_id.is_(None), _M.attempts == 0, _M.tried.is_(False)
    tx.execute(delete(tables.channel_messages).where(*listed, *unsent))
    return targets


def lease_new(tx: Tx, channel: str, target: str, lease: int) -> list[Row[object]]:
    """Take what waits for the list of a place, the row whose id the message gets first; empty: another replica did.

    A row whose sending was begun before stays the first, so that its message is found again.
    """
    due = or_(_M.next_at <= tx.now_ms, _M.attempts == 0)
    query = select(tables.channel_messages).where(*_waiting(channel, target), due)
    rows = tx.execute(query.order_by(_M.tried.desc(), _M.next_at, _M.id).limit(MOST)).all()
    taken: list[Row[object]] = []
    for row in rows:
        first = {"tried": True} if not taken else {}
        mine = update(tables.channel_messages).where(_M.id == row.id, _M.next_at == row.next_at)
        if tx.execute(mine.values(next_at=lease, attempts=row.attempts + 1, **first)).rowcount == 1:
            taken.append(row)
        elif not taken:
            return []
    return taken


def lease_sent(tx: Tx, row: Row[object], lease: int) -> list[Row[object]]:
    """Take a list that stands somewhere, for a change of it, its first row first; empty: somebody else has it now."""
    rows = sharing(tx, row)
    first = rows[0]
    free = or_(_M.next_at.is_(None), _M.next_at <= tx.now_ms)
    one = update(tables.channel_messages).where(_M.id == first.id, free)
    if tx.execute(one.values(next_at=lease, attempts=first.attempts + 1)).rowcount != 1:
        tx.execute(update(tables.channel_messages).where(_M.id == row.id).values(next_at=first.next_at))
        return []
    others = update(tables.channel_messages).where(_M.id.in_([one.id for one in rows[1:]]), _M.next_at <= tx.now_ms)
    tx.execute(others.values(next_at=lease))
    return rows


def sharing(tx: Tx, row: Row[object]) -> list[Row[object]]:
    """The rows of the message that a row is in, in the order of their ids."""
    same = _M.channel == row.channel, _M.address == row.address, _M.provider_id == row.provider_id
    query = select(tables.channel_messages).where(*same, _M.role == Role.LISTED.value).order_by(_M.id)
    return list(tx.execute(query).all())


def _waiting(channel: str, target: str) -> tuple[ColumnElement[bool], ...]:
    return (
        _M.channel == channel, _M.target == target, _M.role == Role.LISTED.value, _M.provider_id.is_(None),
        _M.next_at.is_not(None),
    )  # fmt: skip


def _any(patterns: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
