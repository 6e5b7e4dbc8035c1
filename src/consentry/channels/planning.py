"""From what the gate put in the outbox to messages that are wanted. One transaction, so each event counts once.

An event is no message: it says that something is new. What a message says is read when it is sent, so a message that
waited for a provider is sent as things stand then, never with buttons of the past.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import orjson
from sqlalchemy import func, select, update

from consentry.actions import new_id
from consentry.channels.digests import Digest, collect, every, take_out
from consentry.channels.model import NoteKind, Role, Route, target_of
from consentry.consent.core import authors_now
from consentry.consent.eligibility import current_sets
from consentry.consent.errors import UnknownRequest
from consentry.consent.model import Request
from consentry.consent.roster import Directory
from consentry.consent.rows import load_action, load_request
from consentry.consent.states import RequestState
from consentry.store import Tx, tables
from consentry.store.tx import Row

BATCH = 100
_O, _M = tables.outbox.c, tables.channel_messages.c
_ASKS = ("request.opened", "request.stage", "request.escalated")
"""Events after which other people may be asked than before."""

_NOTES = {
    "request.reminded": NoteKind.REMINDED,
    "request.escalated": NoteKind.ESCALATED,
    "claim.unknown": NoteKind.UNKNOWN,
}


def due(tx: Tx, channel: str) -> bool:
    """Whether there is anything to plan: the cheap look before a write transaction."""
    query = select(_O.id).where(_O.done_at.is_(None), _O.next_at <= tx.now_ms, _O.target == target_of(channel))
    return tx.execute(query.limit(1)).first() is not None


def plan(tx: Tx, route: Route, directory: Directory, digests: Sequence[Digest] = ()) -> int:
    """Take events off the outbox; how many. What one of `digests` takes waits for the next list of its place."""
    query = (
        select(_O.id, _O.kind, _O.payload)
        .where(_O.done_at.is_(None), _O.next_at <= tx.now_ms, _O.target == target_of(route.channel))
        .order_by(_O.id)
        .limit(BATCH)
    )
    rows = tx.execute(query).all()
    for row in rows:
        mine = update(tables.outbox).where(_O.id == row.id, _O.done_at.is_(None)).values(done_at=tx.now_ms)
        if tx.execute(mine).rowcount == 1:
            _tell(tx, route, directory, digests, str(row.kind), orjson.loads(row.payload)["data"])
    return len(rows)


def _tell(
    tx: Tx, route: Route, directory: Directory, digests: Sequence[Digest], kind: str, data: dict[str, object]
) -> None:
    if kind == "breakglass.used":
        _glass(tx, route, directory, data)
        return
    request_id = _request_of(tx, data)
    if request_id is None:
        return
    try:
        request = load_request(tx, request_id, lock=True)  # one request's events are planned one after the other
    except UnknownRequest:
        return
    roster = directory.current(tx)
    if kind in _ASKS:
        persons = frozenset[str]()  # who reads of it anyway; nobody is asked what is decided
        if request.state is RequestState.PENDING:
            persons = persons.union(*current_sets(request, roster, authors_now(tx, request, roster)))
        wait = None if kind == "request.escalated" else every(digests, request)
        for target in route.reviewers(tx, request.action.resource, _groups(request), persons):
            row = _row(tx, route.channel, request.id, target, Role.LISTED)
            if wait is None or not collect(tx, route.channel, request, target, row, wait):
                _want(tx, route.channel, request.id, target, Role.REVIEW)
    if kind in _NOTES:
        for target in take_out(tx, route.channel, request.id):
            _want(tx, route.channel, request.id, target, Role.REVIEW)
        _remark(tx, route.channel, request, _NOTES[kind])
    if route.editable:
        _changed(tx, route.channel, request)
    if request.state is not RequestState.PENDING:
        asked = frozenset(roster.canonical(person) for person in request.action.actor.persons())
        for target in route.requesters(tx, asked):
            _want(tx, route.channel, request.id, target, Role.REQUESTER)


def _glass(tx: Tx, route: Route, directory: Directory, data: dict[str, object]) -> None:
    """Somebody acted without consent: those who were skipped are told, where they would have been asked."""
    review, action, skipped = data.get("review"), data.get("action"), data.get("skipped")
    if not (isinstance(review, str) and isinstance(action, str) and isinstance(skipped, list)):
        return
    roster = directory.current(tx)
    reviewers = [str(one) for one in skipped]
    persons = frozenset[str]().union(*(roster.members(one) for one in reviewers))
    by = roster.canonical(str(data.get("person")))
    for target in route.reviewers(tx, load_action(tx, action).resource, _named(reviewers), persons - {by}):
        _want(tx, route.channel, review, target, Role.GLASS)


def _groups(request: Request) -> list[str]:
    """The groups that may decide now."""
    stage = request.obligations.stages[request.stage]
    escalated = request.escalated_at_ms is not None and stage.escalation is not None
    return _named([*stage.reviewers, *([stage.escalation.widen_to] if escalated and stage.escalation else [])])


def _named(reviewers: list[str]) -> list[str]:
    return [name.removeprefix("group:") for name in reviewers if name.startswith("group:")]


def _request_of(tx: Tx, data: dict[str, object]) -> str | None:
    request, action = data.get("request"), data.get("action")
    if isinstance(request, str):
        return request
    if not isinstance(action, str):
        return None
    found = tx.execute(select(tables.actions.c.request_id).where(tables.actions.c.id == action)).scalar_one_or_none()
    return cast("str | None", found)


def _want(tx: Tx, channel: str, about: str, target: str, role: Role) -> None:
    """A message at a place, where there is none about this request (or post-review) yet."""
    tx.insert_missing(tables.channel_messages, _row(tx, channel, about, target, role))


def _row(tx: Tx, channel: str, about: str, target: str, role: Role) -> Row:
    return {
        "id": new_id("msg"),
        "channel": channel,
        "request_id": about,
        "target": target,
        "role": role.value,
        "address": None,
        "provider_id": None,
        "wanted": 1,
        "sent": 0,
        "tried": False,
        "attempts": 0,
        "next_at": tx.now_ms,
        "last_error": None,
    }


def _changed(tx: Tx, channel: str, request: Request) -> None:
    """There is news for every review message that may stand somewhere. What waits already keeps its turn."""
    tx.execute(
        update(tables.channel_messages)
        .where(
            _M.channel == channel,
            _M.request_id == request.id,
            _M.role.in_((Role.REVIEW.value, Role.LISTED.value)),
            _M.provider_id.is_not(None) | _M.next_at.is_not(None),
        )
        .values(wanted=_M.wanted + 1, next_at=func.coalesce(_M.next_at, tx.now_ms))
    )


def _remark(tx: Tx, channel: str, request: Request, kind: NoteKind) -> None:
    """A note beneath each review message."""
    query = select(_M.id).where(_M.channel == channel, _M.request_id == request.id, _M.role == Role.REVIEW.value)
    for message_id in map(str, tx.execute(query.order_by(_M.id)).scalars().all()):
        tx.insert(
            tables.channel_notes,
            {
                "id": new_id("not"),
                "message_id": message_id,
                "kind": kind.value,
                "provider_id": None,
                "tried": False,
                "at": tx.now_ms,
                "done_at": None,
            },
        )
        tx.execute(
            update(tables.channel_messages)
            .where(_M.id == message_id)
            .values(next_at=func.coalesce(_M.next_at, tx.now_ms))
        )
