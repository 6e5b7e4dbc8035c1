"""How a linked person decides from a chat, the same for every chat: first they are shown, then they confirm.

What their client carries in between is the id of an *offer* that is kept here: who was shown what, when, and which
button they pressed. Nothing that it sends back is believed but the id and the reason (invariant 8), and both callbacks
must come from the same user. The gate has the last word, as for every vote.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import and_, delete, or_, select, update

from consentry.channels import linking
from consentry.channels.card import Card, build
from consentry.channels.linking import ChatUser, Linked
from consentry.channels.model import Mask, Role
from consentry.consent.errors import AlreadyDecided, AssuranceTooLow, LinkedLater, NotEligible, StaleView
from consentry.consent.gate import Gate
from consentry.consent.model import Ballot, BallotVerdict, Request, RequestQuery, Voter
from consentry.consent.states import RequestState
from consentry.consent.voting import require_older_link
from consentry.errors import ConsentryError, NotFound
from consentry.policy.model import Assurance
from consentry.store import Tx, tables

LEAST_MS = 500
"""How long somebody must have had what they confirm before them (threat D8): a key meant for elsewhere is no vote."""

MOST_MS = 30 * 60_000
SEEN_MS = 3_600_000
OLD_MS = 7 * 24 * 3_600_000
LISTED = 10
_F, _S, _M = tables.channel_offers.c, tables.channel_seen.c, tables.channel_messages.c


class TooSoon(ConsentryError):
    """The confirmation came before a person could have read what it is about."""

    code = "not_looked_at"
    status = 409


class UnknownMessage(NotFound):
    """The button does not belong to a message of ours at that place."""

    code = "unknown_message"


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed: on which message, and where the provider says that it stands."""

    message_id: str
    address: str
    provider_id: str
    verdict: BallotVerdict


@dataclass(frozen=True, slots=True)
class Offer:
    """What somebody is asked to confirm. `id` is all that their client is given."""

    id: str
    verdict: BallotVerdict
    card: Card


@dataclass(frozen=True, slots=True)
class _Kept:
    request_id: str
    verdict: BallotVerdict
    shown_digest: str
    stage: int


class Desk:
    """Decisions from one chat service."""

    def __init__(
        self,
        gate: Gate,
        mask: Mask,
        origin: str,
        *,
        shows: Callable[[Card], bool],
        voted: Callable[[str, str], None] = lambda _verdict, _channel: None,
    ) -> None:
        """`shows` says whether the chat can show all of a card; `voted` hears the verdict and channel of each vote."""
        self._gate = gate
        self._shows = shows
        self._mask = mask
        self._origin = origin
        self._voted = voted

    @property
    def origin(self) -> str:
        return self._origin

    async def first_time(self, callback: bytes) -> bool:
        """Whether a callback comes for the first time; it is remembered for longer than its signature holds."""
        key = hashlib.sha256(callback).digest()

        def see(tx: Tx) -> bool:
            new = tx.insert_missing(tables.channel_seen, {"key": key, "at": tx.now_ms})
            if new and key[0] == 0:
                tx.execute(delete(tables.channel_seen).where(_S.at < tx.now_ms - SEEN_MS))
            return new

        return await self._gate.store.write(see)

    async def who(self, user: ChatUser) -> Linked:
        """Raises `NotLinked`."""
        return await self._gate.store.read(lambda tx: linking.who(tx, user))

    async def link(self, user: ChatUser) -> str:
        """The address of a one-time link that makes the user somebody."""
        token = linking.mint()
        await self._gate.store.write(lambda tx: linking.offer(tx, user, token))
        return f"{self._origin}/linked/{token}"

    async def unlink(self, user: ChatUser) -> None:
        """Raises `NotLinked`."""
        linked = await self.who(user)
        await self._gate.store.write(lambda tx: linking.unlink(tx, linked.person.id, linked.identity))

    async def open(self, user: ChatUser, press: Press) -> Offer:
        """Show somebody what their press would decide.

        Raises `NotLinked`, `UnknownMessage`, `AlreadyDecided`, `NotEligible`, `LinkedLater`, `AssuranceTooLow`.
        """
        linked = await self.who(user)
        request_id = await self._gate.store.read(lambda tx: _request_of(tx, user.channel, press))
        request = await self._gate.request(request_id)
        if request.state is not RequestState.PENDING:
            raise AlreadyDecided(f"this request was {request.state.value} already")
        obstacle = await self._gate.why_not(linked.person.id, request)
        if obstacle is not None:
            raise NotEligible(obstacle.text)
        require_older_link(linked.since_ms, request)
        card = await self.card(request)
        if press.verdict is BallotVerdict.APPROVE and not (card.approvable and self._shows(card)):
            raise AssuranceTooLow("this is approved on its web page, which shows all of it and knows who you are")
        offer = Offer(f"ofr_{secrets.token_hex(20)}", press.verdict, card)
        await self._gate.store.write(lambda tx: _keep(tx, user, press, offer, request))
        return offer

    async def look(self, user: ChatUser, press: Press) -> tuple[Card, str | None]:
        """The card of a message as it stands, and why this user may not vote on it; `None` where they may.

        Raises `NotLinked`, `UnknownMessage`.
        """
        linked = await self.who(user)
        request_id = await self._gate.store.read(lambda tx: _request_of(tx, user.channel, press))
        request = await self._gate.request(request_id)
        return await self.card(request), await self._obstacle(linked, request)

    async def cast(self, user: ChatUser, offer_id: str, reason: str | None) -> Request:
        """The vote that somebody confirmed. Raises what `Gate.vote` raises, `NotLinked`, `StaleView` and `TooSoon`."""
        kept = await self._gate.store.read(lambda tx: _kept(tx, user, offer_id))
        linked = await self.who(user)
        voter = Voter(
            linked.person.id, Assurance.CHAT, user.channel, linked.identity, linked.issued_by, linked.since_ms
        )
        ballot = Ballot(kept.verdict, kept.shown_digest, reason, stage=kept.stage)
        voted = await self._gate.vote(kept.request_id, voter, ballot)
        self._voted(kept.verdict.value, user.channel)
        await self._gate.store.write(lambda tx: _use(tx, offer_id))
        return voted

    async def waiting(self, user: ChatUser) -> tuple[Card, ...]:
        """What waits for somebody, the newest first. Raises `NotLinked`."""
        linked = await self.who(user)
        query = RequestQuery(state=RequestState.PENDING, person=linked.person.id, limit=200)
        mine = [one for one in await self._gate.requests(query) if await self._obstacle(linked, one) is None]
        return tuple([await self.card(one) for one in mine[:LISTED]])

    async def _obstacle(self, linked: Linked, request: Request) -> str | None:
        """Why somebody may not decide a request from this chat account, or `None`."""
        obstacle = await self._gate.why_not(linked.person.id, request)
        if obstacle is not None:
            return obstacle.text
        try:
            require_older_link(linked.since_ms, request)
        except LinkedLater as error:
            return str(error)
        return None

    async def card(self, request: Request) -> Card:
        """The card of a request as it stands."""
        preview, roster = await self._gate.preview(request.id), await self._gate.roster()
        return await asyncio.to_thread(build, request, preview, roster, self._mask, self._origin)


def _request_of(tx: Tx, channel: str, press: Press) -> str:
    """The request that a message is about.

    INVARIANT: the message is where we put it, under the id that it got; or it is on its way, and the provider's answer
    has not reached us yet. Its own id is one that nobody can guess.
    """
    found = tx.execute(
        select(_M.request_id).where(
            _M.id == press.message_id,
            _M.channel == channel,
            _M.role == Role.REVIEW.value,
            or_(
                and_(_M.address == press.address, _M.provider_id == press.provider_id),
                and_(_M.provider_id.is_(None), _M.tried.is_(True)),
            ),
        )
    ).scalar_one_or_none()
    if found is None:
        raise UnknownMessage("this button belongs to no message of Consentry at this place")
    return str(found)


def _keep(tx: Tx, user: ChatUser, press: Press, offer: Offer, request: Request) -> None:
    tx.execute(delete(tables.channel_offers).where(_F.opened_at < tx.now_ms - OLD_MS))
    tx.insert(
        tables.channel_offers,
        {
            "id": offer.id,
            "channel": user.channel,
            "message_id": press.message_id,
            "request_id": request.id,
            "issuer": user.issuer,
            "subject": user.subject,
            "verdict": offer.verdict.value,
            "shown_digest": request.shown_digest,
            "stage": request.stage,
            "opened_at": tx.now_ms,
            "used_at": None,
        },
    )


def _kept(tx: Tx, user: ChatUser, offer_id: str) -> _Kept:
    row = tx.execute(select(tables.channel_offers).where(_F.id == offer_id)).one_or_none()
    if row is None or (row.channel, row.issuer, row.subject) != (user.channel, user.issuer, user.subject):
        raise StaleView("nobody showed you this request: press the button on its message")
    if row.used_at is not None:
        raise AlreadyDecided("you have confirmed this already")
    age = tx.now_ms - row.opened_at
    if age < LEAST_MS:
        raise TooSoon("that was faster than anybody reads: look at what you decide, then confirm again")
    if age > MOST_MS:
        raise StaleView("this was shown to you long ago: press the button on the message again")
    return _Kept(row.request_id, BallotVerdict(row.verdict), row.shown_digest, row.stage)


def _use(tx: Tx, offer_id: str) -> None:
    tx.execute(update(tables.channel_offers).where(_F.id == offer_id).values(used_at=tx.now_ms))
