"""What every page of a signed-in person needs: the shell, and what waits for them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from consentry.consent.gate import Gate
from consentry.consent.model import PostReview, Request, RequestQuery
from consentry.consent.reading import can_decide
from consentry.consent.states import RequestState
from consentry.identity.model import ADMINISTRATORS, AUDITORS, Session
from consentry.policy.model import Roster
from consentry.server.pages.views import names, notices, shell
from consentry.server.pages.views.shell import Shell
from consentry.server.services import Services

MOST = 200
"""How many pending requests the inbox looks at; those that expire unseen do so by policy, not by this."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """The pending requests of one moment. `mine` are the ids of those that this person may vote on."""

    requests: tuple[Request, ...]
    mine: frozenset[str]


@dataclass(frozen=True, slots=True)
class Frame:
    """The person, the roster of this moment, and the shell that goes around the page.

    `reviews` are the open post-reviews that the person may know of.
    """

    session: Session
    roster: Roster
    now_ms: int
    shell: Shell
    waiting: Waiting
    reviews: tuple[PostReview, ...]

    @property
    def me(self) -> str:
        return self.session.subject

    @property
    def admin(self) -> bool:
        return ADMINISTRATORS in self.roster.groups_of(self.me)

    @property
    def sees_all(self) -> bool:
        """Auditors and administrators see every action."""
        return not self.roster.groups_of(self.me).isdisjoint({ADMINISTRATORS, AUDITORS})


async def waiting(gate: Gate, person: str, roster: Roster) -> Waiting:
    """What is pending, newest first, and which of it the person can decide."""
    found = await gate.requests(RequestQuery(state=RequestState.PENDING, limit=MOST))
    mine = await gate.store.read(lambda tx: frozenset(one.id for one in found if can_decide(tx, person, one, roster)))
    return Waiting(found, mine)


async def frame(services: Services, session: Session, here: str) -> Frame:
    """Gather the frame of the page `here`."""
    gate = services.gate
    roster = await gate.roster()
    now_ms = gate.store.clock_ms()
    mine = roster.canonical(session.subject)
    pending, found, told = await asyncio.gather(
        waiting(gate, session.subject, roster), gate.post_reviews(), services.directory.notices(mine)
    )
    reviews = tuple([one for one in found if await services.visibility.action(session, one.action_id)])
    groups = roster.groups_of(session.subject)
    built = shell.build(
        names.person(session.subject, roster),
        here,
        now_ms=now_ms,
        waiting=len(pending.mine),
        reviews=sum(1 for one in reviews if roster.canonical(one.person) != mine),
        admin=ADMINISTRATORS in groups,
        auditor=AUDITORS in groups,
        notices=tuple(notices.told(one, roster) for one in told),
    )
    return Frame(session, roster, now_ms, built, pending, reviews)
