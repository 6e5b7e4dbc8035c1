"""Requests in a list. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from consentry.consent.model import BallotVerdict, Request
from consentry.consent.states import RequestState
from consentry.policy.model import Roster
from consentry.server.pages.states import Look, look
from consentry.server.pages.views.names import Party, chain


@dataclass(frozen=True, slots=True)
class Item:
    """One request as a row of the inbox. `dots` is one flag for each approval that the present stage needs."""

    id: str
    operation: str
    resource: str
    first: Party
    through: int
    state: str
    look: Look
    opened_at_ms: int
    expires_at_ms: int
    dots: tuple[bool, ...]
    findings: int
    mine: bool

    @property
    def pending(self) -> bool:
        return self.state == RequestState.PENDING


@dataclass(frozen=True, slots=True)
class Alike:
    """Requests of one shape that this person can decide, to be ticked and looked at together. `form` is its id."""

    form: str
    operation: str
    resource: str
    first: Party
    ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Inbox:
    """What waits: first what this person can decide, then the rest that they may see."""

    mine: tuple[Item, ...]
    others: tuple[Item, ...]
    alike: tuple[Alike, ...] = ()

    def form_of(self, request_id: str) -> str | None:
        """The form whose tick a request gets; `None` where nothing else is like it."""
        return next((one.form for one in self.alike if request_id in one.ids), None)

    @property
    def empty(self) -> bool:
        return not self.mine and not self.others


@dataclass(frozen=True, slots=True)
class Glance:
    """Beside the list while nothing is open: how much waits, what ends next, what was decided last."""

    next_to_expire: Item | None
    decided: tuple[Item, ...]
    open_reviews: int


def item(request: Request, roster: Roster, *, mine: bool) -> Item:
    """A request as a row."""
    links = chain(request.action.actor, roster)
    return Item(
        id=request.id,
        operation=request.action.operation,
        resource=request.action.resource,
        first=links[0],
        through=len(links) - 1,
        state=request.state.value,
        look=look(request.state.value),
        opened_at_ms=request.opened_at_ms,
        expires_at_ms=request.expires_at_ms,
        dots=dots(request),
        findings=findings_total(request),
        mine=mine,
    )


def inbox(requests: Iterable[Request], roster: Roster, may_vote: Callable[[Request], bool]) -> Inbox:
    """Split what waits; each part keeps the order that it came in."""
    waiting = list(requests)
    items = [item(one, roster, mine=may_vote(one)) for one in waiting]
    mine = {one.id for one in items if one.mine}
    return Inbox(
        tuple(one for one in items if one.mine),
        tuple(one for one in items if not one.mine),
        alike([one for one in waiting if one.id in mine], roster),
    )


def shape(request: Request) -> tuple[str, str, str, tuple[str, ...]]:
    """What requests that are decided together have in common: operation, resource, actor, names of arguments."""
    action = request.action
    return action.operation, action.resource, action.actor.id, tuple(sorted(action.arguments))


def alike(requests: Iterable[Request], roster: Roster) -> tuple[Alike, ...]:
    """The shapes that more than one of the requests has."""
    found: dict[tuple[str, str, str, tuple[str, ...]], list[Request]] = {}
    for one in requests:
        found.setdefault(shape(one), []).append(one)
    several = [same for same in found.values() if len(same) > 1]
    return tuple(
        Alike(
            f"alike-{at}",
            same[0].action.operation,
            same[0].action.resource,
            chain(same[0].action.actor, roster)[-1],
            frozenset(one.id for one in same),
        )
        for at, same in enumerate(several)
    )


def dots(request: Request) -> tuple[bool, ...]:
    """One flag for each approval that the present stage asks for, given or not."""
    if not request.obligations.stages:
        return ()
    stage = request.obligations.stages[min(request.stage, len(request.obligations.stages) - 1)]
    needed = stage.quorum * len(stage.reviewers)
    given = sum(1 for vote in request.votes if vote.stage == request.stage and vote.verdict is BallotVerdict.APPROVE)
    return tuple(at < given for at in range(needed))


def findings_total(request: Request) -> int:
    """How many sensitive values the lens found; 0 where nobody looked."""
    findings = request.facts.values.get("findings")
    total = findings.get("total", 0) if hasattr(findings, "get") else 0  # type: ignore[union-attr]
    return total if isinstance(total, int) else 0
