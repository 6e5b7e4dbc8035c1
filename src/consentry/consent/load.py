"""How reviews go: how long they take, who carries them, which rules ask most. Pure: past requests in, counts out.

Nothing of what was asked is in the answer but names: rules, groups, persons. Percentiles are by nearest rank:
the smallest value with at least that share of all values at or below it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from consentry.actions import Action
from consentry.consent.model import BallotVerdict, Request
from consentry.consent.states import RequestState
from consentry.policy.model import Assurance, Obligations, Roster

ENOUGH = 5
"""So many decisions without a denial before a rule is marked: fewer say nothing."""

DAY_HOURS = range(8, 20)
"""The hours (UTC) of a working day; a decision outside of them is marked."""


class End(StrEnum):
    """What became of a request. `overtaken`: a change of policy denied it, no person did."""

    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    OVERTAKEN = "overtaken"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Cast:
    """One vote: by whom (the one person behind all identities), when, and which."""

    person: str
    verdict: BallotVerdict
    at_ms: int


@dataclass(frozen=True, slots=True)
class Asked:
    """One past request. `reviewers` are the sets of the stages that it reached.

    `one_vote` says that one signed-in person was enough, which is what a standing grant can stand for.
    """

    id: str
    action_ids: tuple[str, ...]
    action: Action
    rules: tuple[str, ...]
    reviewers: tuple[str, ...]
    end: End
    opened_ms: int
    decided_ms: int | None = None
    votes: tuple[Cast, ...] = ()
    one_vote: bool = True

    @classmethod
    def of(cls, request: Request, roster: Roster) -> Self:
        """A request as it stands now."""
        votes = tuple(Cast(roster.canonical(one.person), one.verdict, one.at_ms) for one in request.votes)
        reached = request.obligations.stages[: request.stage + 1]
        return cls(
            id=request.id,
            action_ids=request.action_ids,
            action=request.action,
            rules=tuple(dict.fromkeys(reason.policy for reason in request.reasons)),
            reviewers=tuple(dict.fromkeys(one for stage in reached for one in stage.reviewers)),
            end=_end(request, votes),
            opened_ms=request.opened_at_ms,
            decided_ms=request.decided_at_ms,
            votes=votes,
            one_vote=takes_one_vote(request.obligations),
        )

    @property
    def took_ms(self) -> int | None:
        """How long people took to decide; `None` where they did not."""
        if self.end not in (End.APPROVED, End.DENIED) or self.decided_ms is None:
            return None
        return max(0, self.decided_ms - self.opened_ms)


@dataclass(frozen=True, slots=True)
class Times:
    """How long decisions took, in milliseconds; `None` where there were none."""

    decisions: int
    median_ms: int | None
    p90_ms: int | None
    total_ms: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How requests ended. `unanswered` are those that expired without a single vote."""

    asked: int
    approved: int
    denied: int
    expired: int
    unanswered: int
    withdrawn: int
    overtaken: int
    pending: int
    times: Times

    @property
    def decided(self) -> int:
        return self.approved + self.denied

    @property
    def approve_rate(self) -> float | None:
        """Which share of what people decided was approved; `None` where they decided nothing."""
        return self.approved / self.decided if self.decided else None


@dataclass(frozen=True, slots=True)
class RuleLoad:
    """One rule. `alone` is about approved requests for which no other rule asked: what a narrower rule would save."""

    rule: str
    tally: Tally
    alone: Times

    @property
    def never_denied(self) -> bool:
        """Whether it was often asked and nobody ever said no: a rule that may ask too much."""
        return self.tally.denied == 0 and self.tally.approved >= ENOUGH


@dataclass(frozen=True, slots=True)
class GroupLoad:
    """One reviewer set (`group:NAME`, `person:EMAIL`, `anyone`)."""

    reviewers: str
    tally: Tally


@dataclass(frozen=True, slots=True)
class PersonLoad:
    """One person's votes; `share` is of all votes, `outside` are those outside the hours of a working day."""

    person: str
    votes: int
    approvals: int
    denials: int
    share: float
    outside: int


@dataclass(frozen=True, slots=True)
class Load:
    """The load of a period: `hours` are votes by hour of the day, UTC."""

    since_ms: int
    until_ms: int
    tally: Tally
    rules: tuple[RuleLoad, ...]
    groups: tuple[GroupLoad, ...]
    people: tuple[PersonLoad, ...]
    hours: tuple[int, ...]


def takes_one_vote(obligations: Obligations) -> bool:
    """Whether one person who is signed in is enough, as a standing grant's signer is."""
    if len(obligations.stages) != 1:
        return False
    (stage,) = obligations.stages
    return stage.quorum == 1 and len(stage.reviewers) == 1 and stage.assurance is not Assurance.PASSKEY


def measure(asked: Sequence[Asked], *, since_ms: int, until_ms: int) -> Load:
    """The load that these requests were. Whoever asks most and carries most comes first."""
    rules = _by(asked, lambda one: one.rules)
    groups = _by(asked, lambda one: one.reviewers)
    votes = [vote for one in asked for vote in one.votes]
    return Load(
        since_ms=since_ms,
        until_ms=until_ms,
        tally=tally(asked),
        rules=tuple(RuleLoad(name, tally(found), times(_alone(found))) for name, found in rules),
        groups=tuple(GroupLoad(name, tally(found)) for name, found in groups),
        people=_people(votes),
        hours=tuple(map(Counter(_hour(vote.at_ms) for vote in votes).__getitem__, range(24))),
    )


def tally(asked: Iterable[Asked]) -> Tally:
    """Counts and times of these requests."""
    found = list(asked)
    ends = Counter(one.end for one in found)
    return Tally(
        asked=len(found),
        approved=ends[End.APPROVED],
        denied=ends[End.DENIED],
        expired=ends[End.EXPIRED],
        unanswered=sum(1 for one in found if one.end is End.EXPIRED and not one.votes),
        withdrawn=ends[End.WITHDRAWN],
        overtaken=ends[End.OVERTAKEN],
        pending=ends[End.PENDING],
        times=times([took for one in found if (took := one.took_ms) is not None]),
    )


def times(took: Sequence[int]) -> Times:
    """Median and 90th percentile."""
    ranked = sorted(took)
    return Times(len(ranked), nearest_rank(ranked, 50), nearest_rank(ranked, 90), sum(ranked))


def nearest_rank(ranked: Sequence[int], percent: int) -> int | None:
    """The smallest of ascending values with at least `percent` of them at or below it; `None` of nothing."""
    return ranked[max(0, -(-percent * len(ranked) // 100) - 1)] if ranked else None


def _end(request: Request, votes: Sequence[Cast]) -> End:
    if request.state is RequestState.DENIED and not any(one.verdict is BallotVerdict.DENY for one in votes):
        return End.OVERTAKEN
    return End(request.state.value)


def _by(asked: Iterable[Asked], names: Callable[[Asked], Iterable[str]]) -> list[tuple[str, list[Asked]]]:
    """The requests under each name; whatever has most of them first."""
    found: dict[str, list[Asked]] = {}
    for one in asked:
        for name in names(one):
            found.setdefault(name, []).append(one)
    return sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))


def _alone(asked: Iterable[Asked]) -> list[int]:
    return [one.took_ms or 0 for one in asked if one.end is End.APPROVED and len(one.rules) == 1]


def _people(votes: Sequence[Cast]) -> tuple[PersonLoad, ...]:
    by_person: dict[str, list[Cast]] = {}
    for vote in votes:
        by_person.setdefault(vote.person, []).append(vote)
    rows = [_person(person, cast, len(votes)) for person, cast in by_person.items()]
    return tuple(sorted(rows, key=lambda row: (-row.votes, row.person)))


def _person(person: str, cast: Sequence[Cast], all_votes: int) -> PersonLoad:
    approvals = sum(1 for vote in cast if vote.verdict is BallotVerdict.APPROVE)
    outside = sum(1 for vote in cast if _hour(vote.at_ms) not in DAY_HOURS)
    return PersonLoad(person, len(cast), approvals, len(cast) - approvals, len(cast) / all_votes, outside)


def _hour(at_ms: int) -> int:
    return datetime.fromtimestamp(at_ms / 1000, UTC).hour
