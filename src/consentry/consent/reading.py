"""What people and programs look at. Nothing here changes anything; visibility is the server's to decide."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from consentry.actions import Action
from consentry.consent.core import Core, authors_now
from consentry.consent.eligibility import Ineligible, stage_sets, why_not
from consentry.consent.errors import UnknownRequest
from consentry.consent.lasting import review_of
from consentry.consent.model import Decision, Grant, HistoryQuery, PostReview, Request, RequestQuery
from consentry.consent.preview import Preview
from consentry.consent.roster import load_delegations
from consentry.consent.rows import (
    DECISION,
    decision_of,
    grant_of,
    load,
    load_grant,
    own_grant,
    request_query,
    requests_of,
    state_is,
)
from consentry.consent.states import RequestState
from consentry.ledger.errors import LedgerError
from consentry.policy.model import Roster, Verdict
from consentry.policy.replay import Past
from consentry.store import Tx, tables
from consentry.store.publisher import DatabaseReader, latest, waiting_entries

MAX_PAGE = 500


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the parts work, in numbers. `unplaced` entries are durable and wait for their place in the tree."""

    ledger_size: int
    unplaced: int
    checkpoint_size: int
    checkpoint_age_ms: int | None
    policy_version: str
    persons: int
    pending: int
    unknown: int


def requests(tx: Tx, core: Core, query: RequestQuery) -> tuple[Request, ...]:
    columns = tables.requests.c
    statement = request_query().order_by(columns.id.desc())  # the order that `before_id` pages by
    if query.state is RequestState.PENDING:
        statement = statement.where(columns.state == "pending", columns.expires_at > tx.now_ms)
    elif query.state is RequestState.EXPIRED:
        statement = statement.where(
            (columns.state == "expired") | ((columns.state == "pending") & (columns.expires_at <= tx.now_ms))
        )
    elif query.state is not None:
        statement = statement.where(columns.state == query.state.value)
    if query.resource is not None:
        statement = statement.where(tables.actions.c.resource == query.resource)
    if query.operation is not None:
        statement = statement.where(tables.actions.c.operation == query.operation)
    if query.before_id is not None:
        statement = statement.where(columns.id < query.before_id)
    found = requests_of(tx, tx.execute(statement.limit(_limit(query.limit))).all())
    if query.person is not None:
        roster = core.directory.current(tx)
        person = query.person
        found.sort(key=lambda request: not can_decide(tx, person, request, roster))
    return tuple(found)


def can_decide(tx: Tx, person: str, request: Request, roster: Roster) -> bool:
    """Whether the person may vote on the request now."""
    if request.state is not RequestState.PENDING:
        return False
    if any(roster.canonical(vote.person) == roster.canonical(person) for vote in request.votes):
        return False
    answer = why_not(
        person,
        request,
        roster,
        load_delegations(tx, at_ms=tx.now_ms),
        authors=authors_now(tx, request, roster),
        now_ms=tx.now_ms,
    )
    return not isinstance(answer, Ineligible)


def may_see(tx: Tx, core: Core, person: str, request: Request) -> bool:
    roster = core.directory.current(tx)
    one = roster.canonical(person)
    authors = authors_now(tx, request, roster)
    if one in authors or any(one == roster.canonical(vote.person) for vote in request.votes):
        return True
    for stage in request.obligations.stages:
        sets = stage_sets(stage, roster, opened_at_ms=tx.now_ms, authors=authors, escalated=True)
        if any(one in members for members in sets):
            return True
    return can_decide(tx, one, request, roster)


def history(tx: Tx, query: HistoryQuery) -> tuple[tuple[Action, Decision], ...]:
    columns = tables.actions.c
    statement = DECISION.order_by(columns.id.desc()).limit(_limit(query.limit))
    for column, value in (
        (columns.operation, query.operation),
        (columns.resource, query.resource),
        (columns.actor_id, query.actor),
        (columns.verdict, None if query.verdict is None else query.verdict.value),
    ):
        if value is not None:
            statement = statement.where(column == value)
    if query.since_ms is not None:
        statement = statement.where(columns.submitted_at >= query.since_ms)
    if query.until_ms is not None:
        statement = statement.where(columns.submitted_at < query.until_ms)
    if query.before_id is not None:
        statement = statement.where(columns.id < query.before_id)
    if query.state is not None:
        statement = statement.where(state_is(query.state, tx.now_ms))
    rows = tx.execute(statement).all()
    return tuple((Action.from_canonical(bytes(row.canonical)), decision_of(row, tx.now_ms)) for row in rows)


def past(tx: Tx, core: Core, since_ms: int, after_id: str, limit: int = MAX_PAGE) -> list[Past]:
    """Judged actions from a time on, oldest first, a page at a time: what `policy replay` judges again."""
    columns = tables.actions.c
    rows = tx.execute(
        select(columns.id, columns.canonical, columns.facts, columns.verdict, columns.submitted_at, columns.resource)
        .where(columns.submitted_at >= since_ms, columns.id > after_id)
        .order_by(columns.id)
        .limit(limit)
    ).all()
    return [
        Past(
            row.id,
            bytes(row.canonical),
            load(row.facts),
            Verdict(row.verdict),
            row.submitted_at,
            core.resource(row.resource),
        )
        for row in rows
    ]


def grants(tx: Tx, *, open_only: bool) -> tuple[Grant, ...]:
    """The newest, those of policy without a row of their own among them: their ids tell the time, too."""
    columns, actions = tables.grants.c, tables.actions.c
    statement = select(tables.grants).order_by(columns.id.desc()).limit(MAX_PAGE)
    allowed = (
        select(tables.actions)
        .outerjoin(tables.grants, columns.id == actions.grant_id)
        .where(actions.verdict == Verdict.ALLOW.value, actions.grant_id.is_not(None), columns.id.is_(None))
        .order_by(actions.id.desc())
        .limit(MAX_PAGE)
    )
    if open_only:
        statement = statement.where(columns.state == "open", columns.expires_at > tx.now_ms)
        allowed = allowed.where(actions.claimable_until > tx.now_ms)
    found = [grant_of(row, tx.now_ms) for row in tx.execute(statement).all()]
    found += [own_grant(row, tx.now_ms) for row in tx.execute(allowed).all()]
    return tuple(sorted(found, key=lambda grant: grant.id, reverse=True)[:MAX_PAGE])


def post_reviews(tx: Tx, *, open_only: bool) -> tuple[PostReview, ...]:
    columns = tables.post_reviews.c
    statement = select(tables.post_reviews).order_by(columns.id.desc()).limit(MAX_PAGE)
    if open_only:
        statement = statement.where(columns.closed_at.is_(None))
    return tuple(review_of(row) for row in tx.execute(statement).all())


def similar(tx: Tx, request: Request, limit: int) -> tuple[Request, ...]:
    columns = tables.requests.c
    statement = (
        request_query()
        .where(
            tables.actions.c.operation == request.action.operation,
            tables.actions.c.resource == request.action.resource,
            columns.id != request.id,
            columns.decided_at.is_not(None),
        )
        .order_by(columns.id.desc())
        .limit(_limit(limit))
    )
    return tuple(requests_of(tx, tx.execute(statement).all()))


def preview(tx: Tx, request_id: str) -> Preview:
    text = tx.execute(select(tables.requests.c.shown).where(tables.requests.c.id == request_id)).scalar_one_or_none()
    if text is None:
        raise UnknownRequest(f"there is no request `{request_id[:40]}`")
    return Preview.decode(str(text))


def ledger_size(tx: Tx) -> int:
    size: int = tx.execute(select(tables.ledger_state.c.size)).scalar_one()  # type: ignore[assignment]
    return size


def ledger_file(tx: Tx, path: str) -> bytes | None:
    published = latest(tx)
    if published is None:
        return None
    if path == "checkpoint":
        return published.note
    try:
        return DatabaseReader(tx, published.size).read(path)
    except LedgerError:
        return None


def health(tx: Tx, core: Core) -> Health:
    row = tx.execute(
        select(tables.ledger_checkpoints.c.size, tables.ledger_checkpoints.c.at)
        .order_by(tables.ledger_checkpoints.c.size.desc())
        .limit(1)
    ).one_or_none()
    requests_, claims = tables.requests.c, tables.claims.c
    pending: int = tx.execute(
        select(func.count()).where(requests_.state == "pending", requests_.expires_at > tx.now_ms)
    ).scalar_one()  # type: ignore[assignment]
    unknown: int = tx.execute(select(func.count()).where(claims.state == "unknown")).scalar_one()  # type: ignore[assignment]
    roster = core.directory.current(tx)
    return Health(
        ledger_size=ledger_size(tx),
        unplaced=waiting_entries(tx) if tx.dialect == "postgresql" else 0,
        checkpoint_size=0 if row is None else row.size,
        checkpoint_age_ms=None if row is None else tx.now_ms - row.at,
        policy_version=tx.versions.policy,
        persons=len(roster.members("anyone")),
        pending=pending,
        unknown=unknown,
    )


def _limit(asked: int) -> int:
    return max(1, min(asked, MAX_PAGE))


__all__ = [
    "Health",
    "can_decide",
    "grants",
    "health",
    "history",
    "ledger_file",
    "ledger_size",
    "load_grant",
    "may_see",
    "past",
    "post_reviews",
    "preview",
    "requests",
    "similar",
]
