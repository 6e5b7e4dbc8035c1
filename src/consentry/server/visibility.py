"""Who may see what: an action's actors and their owners, those who could decide it, auditors and administrators.

To everybody else an action or request does not exist.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from consentry.actions import Action, Kind
from consentry.consent.errors import UnknownAction, UnknownRequest
from consentry.consent.model import Grant, Request
from consentry.identity.model import ADMINISTRATORS, AUDITORS, Session

if TYPE_CHECKING:
    from consentry.consent.events import LedgerEvent
    from consentry.consent.gate import Gate

REMEMBERED = 20_000


class Visibility:
    """Answers for one gate. Who acts in an action never changes, so that is remembered."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._chains: OrderedDict[str, frozenset[str]] = OrderedDict()

    async def sees_all(self, session: Session) -> bool:
        """Whether this is an auditor or an administrator."""
        if session.kind is not Kind.PERSON:
            return False
        groups = (await self._gate.roster()).groups_of(session.subject)
        return not groups.isdisjoint({AUDITORS, ADMINISTRATORS})

    async def require_action(self, session: Session, action_id: str) -> None:
        """Raises `UnknownAction` where the session may not know of it."""
        if not await self.action(session, action_id):
            raise UnknownAction(f"there is no action `{action_id[:40]}`")

    async def require_request(self, session: Session, request_id: str) -> Request:
        """The request. Raises `UnknownRequest` where the session may not know of it."""
        request = await self._gate.request(request_id)
        if not await self.request(session, request):
            raise UnknownRequest(f"there is no request `{request_id[:40]}`")
        return request

    async def action(self, session: Session, action_id: str) -> bool:
        """Whether the session may see an action. Raises `UnknownAction`."""
        if await self._acts(session, await self._chain(action_id)) or await self.sees_all(session):
            return True
        if session.kind is not Kind.PERSON:
            return False
        decision = await self._gate.decision(action_id)
        if decision.request_id is None:
            return False
        return await self._gate.may_see(session.subject, await self._gate.request(decision.request_id))

    async def request(self, session: Session, request: Request) -> bool:
        """Whether the session may see a request."""
        if session.kind is Kind.PERSON:
            return await self._gate.may_see(session.subject, request) or await self.sees_all(session)
        return any([session.subject in await self._chain(one) for one in request.action_ids])

    async def grant(self, session: Session, grant: Grant) -> bool:
        """Whether the session may see a grant: its signer, who may see its action, the actor of a standing one."""
        if await self.sees_all(session) or grant.signer == session.subject:
            return True
        if grant.action_id is not None:
            return await self.action(session, grant.action_id)
        if grant.pattern is None:
            return False
        from consentry.consent.standing import Signed

        return await self._acts(session, frozenset({Signed.decode(grant.pattern).pattern.actor}))

    async def event(self, session: Session, event: LedgerEvent) -> bool:
        """Whether the session may hear of an entry. What belongs to no action is for those who see all."""
        chain = event.fields.get("chain")
        if event.action_id is not None and isinstance(chain, list):
            self._remember(event.action_id, frozenset(map(str, chain)))
        if event.action_id is not None and await self._acts(session, await self._chain(event.action_id)):
            return True
        if await self.sees_all(session):
            return True
        if event.request_id is None:
            return False
        if event.type.startswith("standing."):  # filed under the id of a grant, not of a request
            return await self.grant(session, await self._gate.grant(event.request_id))
        return await self.request(session, await self._gate.request(event.request_id))

    async def _acts(self, session: Session, chain: frozenset[str]) -> bool:
        """Whether the session's subject is in the chain, or answers for somebody in it."""
        if session.subject in chain:
            return True
        if session.kind is not Kind.PERSON:
            return False
        roster = await self._gate.roster()
        one = roster.canonical(session.subject)
        return any(one in (roster.canonical(link), roster.owner_of(link)) for link in chain)

    async def _chain(self, action_id: str) -> frozenset[str]:
        known = self._chains.get(action_id)
        if known is not None:
            return known
        return self._remember(action_id, chain_ids(await self._gate.action(action_id)))

    def _remember(self, action_id: str, chain: frozenset[str]) -> frozenset[str]:
        self._chains[action_id] = chain
        if len(self._chains) > REMEMBERED:
            self._chains.popitem(last=False)
        return chain


def chain_ids(action: Action) -> frozenset[str]:
    """The ids of everybody in an action's chain."""
    return frozenset(link.id for link in action.actor.links())
