"""Messages to Teams: posted, changed, and found again where nobody knows whether they arrived."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self, cast
from urllib.parse import parse_qs, urlsplit

from consentry.channels.model import InvalidAddress, Outgoing, Posted, Remark, Role, SendFailed
from consentry.channels.teams import render
from consentry.channels.teams.api import Refused, TeamsApi
from consentry.channels.teams.book import Book
from consentry.channels.teams.config import TeamsConfig
from consentry.channels.teams.route import USER

PAGE, PAGES = 50, 6
"""Graph lists at most 50 messages at once; a lost one may have been tried before so many others."""
THREAD = ";messageid="
CARD = "application/vnd.microsoft.card.adaptive"


class TeamsSender:
    """A little less than Teams takes in a conversation: 60 messages in half a minute.

    https://learn.microsoft.com/microsoftteams/platform/bots/how-to/rate-limit
    """

    gap_ms = 600

    def __init__(self, config: TeamsConfig, api: TeamsApi, book: Book) -> None:
        self._config = config
        self._api = api
        self._book = book

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def post(self, message: Outgoing) -> Posted:
        if message.target.startswith(USER):
            return await self._to_person(message)
        if message.again and (found := await self._find(message.target, message.id)) is not None:
            posted = Posted(f"{message.target}{THREAD}{found}", found)
            await self.update(posted, message)  # it says what was true when it was sent
            return posted
        body = {
            "isGroup": True,
            "bot": {"id": self._config.bot},
            "tenantId": self._config.tenant,
            "channelData": {"channel": {"id": message.target}, "tenant": {"id": self._config.tenant}},
            "activity": await self._activity(message),
        }
        answer = await self._api.connector("POST", await self._book.service_url(), body=body)
        return Posted(_text(answer, "id"), _text(answer, "activityId"))

    async def update(self, posted: Posted, message: Outgoing) -> None:
        body = {**await self._activity(message), "id": posted.provider_id}
        await self._api.connector(
            "PUT", await self._book.service_url(), posted.address, "activities", posted.provider_id, body=body
        )

    async def note(self, posted: Posted, remark: Remark) -> str:
        if remark.again and (found := await self._find(posted.address, remark.id)) is not None:
            return found
        shown = render.note(remark.message.card, remark.kind, remark.id)
        body = {**activity(shown), "replyToId": posted.provider_id}
        answer = await self._api.connector(
            "POST", await self._book.service_url(), posted.address, "activities", body=body
        )
        return _text(answer, "id")

    async def _to_person(self, message: Outgoing) -> Posted:
        address = await self._book.person(message.target.removeprefix(USER))
        if address is None:
            raise InvalidAddress("the bot has no chat with this person any more: they write to it to begin one")
        answer = await self._api.connector(
            "POST", await self._book.service_url(), address, "activities", body=await self._activity(message)
        )
        return Posted(address, _text(answer, "id"))

    async def _activity(self, message: Outgoing) -> dict[str, object]:
        if message.role is Role.LISTED:
            return activity(render.collected(message.listed, message.id))
        asks = message.role is Role.REVIEW and message.card.pending
        users = await self._book.deciders(message.card.request) if asks else ()
        return activity(render.message(message.card, message.id, message.role, users))

    async def _find(self, address: str, wanted: str) -> str | None:
        """The id of a message of ours among the newest of a channel or a thread, by the id within its card.

        Without the right to look (`ChannelMessage.Read.Group`), or in a chat with a person, nobody can tell, and it is
        sent again: twice is better than not.
        """
        channel, _, thread = address.partition(THREAD)
        team = self._config.team_of(channel)
        if team is None:
            return None
        path = ("teams", team, "channels", channel, "messages", *((thread, "replies") if thread else ()))
        after: str | None = None
        for _ in range(PAGES):
            try:
                answer = await self._api.graph(*path, top=PAGE, after=after)
            except Refused as error:
                if error.ambiguous:
                    raise
                return None
            for one in _dicts(answer.get("value")):
                if wanted in _cards(one):
                    return _text(one, "id")
            after = _next(answer)
            if after is None:
                break
        return None


def activity(shown: render.Message) -> dict[str, object]:
    """A message as the connector takes it."""
    return {
        "type": "message",
        "summary": shown.summary,
        "attachments": [{"contentType": CARD, "content": shown.card}],
    }


def _cards(found: dict[str, object]) -> str:
    """The cards of a message as text, as Graph gives them."""
    return "\n".join(
        str(one.get("content")) for one in _dicts(found.get("attachments")) if one.get("contentType") == CARD
    )


def _next(answer: dict[str, object]) -> str | None:
    """Where the next page begins. Of the link, only that is used: its address could be anything."""
    link = answer.get("@odata.nextLink")
    found = parse_qs(urlsplit(link).query).get("$skiptoken") if isinstance(link, str) else None
    return found[0] if found else None


def _dicts(value: object) -> Iterator[dict[str, object]]:
    if isinstance(value, list):
        yield from (cast("dict[str, object]", one) for one in value if isinstance(one, dict))


def _text(answer: dict[str, object], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise SendFailed(f"Teams' answer has no `{name}`", ambiguous=True)
    return value
