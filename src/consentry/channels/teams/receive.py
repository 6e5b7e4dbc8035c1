"""What people do in Teams: press, confirm, write to the bot.

Who somebody is comes from the pair (tenant, object id) of an activity that the Bot Framework vouches for, and from the
link that they made by signing in (threats D1, D2, D3). Everything else in it is only what they typed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from consentry.actions.json import parse_object
from consentry.channels.deciding import Desk, Press
from consentry.channels.linking import ChatUser, NotLinked
from consentry.channels.model import SendFailed
from consentry.channels.teams import render
from consentry.channels.teams.api import TeamsApi
from consentry.channels.teams.book import ANY, CHANNEL, Book
from consentry.channels.teams.config import TeamsConfig
from consentry.channels.teams.send import CARD, activity
from consentry.channels.teams.text import line, run
from consentry.channels.teams.verify import BadToken, same_service
from consentry.channels.teams.wire import Activity, Execute, Invoke, Message, Somebody, Update
from consentry.consent.model import BallotVerdict
from consentry.errors import ConsentryError, InvalidInput

MAX_BODY = 256 << 10
PERSONAL = "personal"
_KINDS: dict[str, type[Activity]] = {"invoke": Invoke, "message": Message, "conversationUpdate": Update}
_VERDICTS = {render.APPROVE: BallotVerdict.APPROVE, render.DENY: BallotVerdict.DENY}
_AT = re.compile(r"<at[^>]*>[^<]*</at>")
HELP = "Write `list` for what waits for you, `link` to make this account yours, `unlink` to make it nobody's."
UNLINKED = "Nobody has linked this account to a person of Consentry: write `link` to the bot, in a chat with it alone."
Answer = dict[str, object]
Model = TypeVar("Model", bound=BaseModel)
log = logging.getLogger("consentry.channels")


class InvalidActivity(InvalidInput):
    """The activity lacks something, or holds it in another shape."""

    code = "invalid_activity"


class Receiver:
    """Answers activities. Each counts once, however often it comes."""

    def __init__(self, config: TeamsConfig, desk: Desk, api: TeamsApi, book: Book) -> None:
        self._config = config
        self._desk = desk
        self._api = api
        self._book = book

    async def activity(self, body: bytes, service_url: str) -> Answer | None:
        """One activity that came with a token for `service_url`. Raises `InvalidActivity`, `BadToken`."""
        value = parse_object(body, limit=MAX_BODY)
        kind = value.get("type")
        if not isinstance(kind, str):
            raise InvalidActivity("the activity has no usable `type`")
        model = _KINDS.get(kind)
        if model is None:
            return None  # typing, reactions and the like
        one = _parse(model, value)
        if not same_service(one.service_url, service_url):
            raise BadToken("the token is for another service than the activity says")
        ours = one.tenants == {self._config.tenant}
        if isinstance(one, Invoke):
            return await self._invoked(one, body) if ours else _say("This bot is for people of another tenant.")
        if ours and await self._desk.first_time(body):
            await self._heard(one)
        return None

    async def _invoked(self, one: Invoke, body: bytes) -> Answer:
        user = _user(self._config, one.who)
        execute = one.value.action
        try:
            if not await self._desk.first_time(body):
                return _say("That was answered already.")
            if execute.verb in _VERDICTS:
                return await self._pressed(user, one, _VERDICTS[execute.verb])
            if execute.verb == render.CONFIRM:
                return await self._confirmed(user, execute)
            if execute.verb == render.LOOK:
                return await self._looked(user, one)
        except NotLinked:
            return _say(UNLINKED)
        except InvalidActivity:
            raise
        except ConsentryError as error:
            return _say(_sentence(error))
        raise InvalidActivity("this button is not one of ours")

    async def _pressed(self, user: ChatUser, one: Invoke, verdict: BallotVerdict) -> Answer:
        press = _press(one, verdict)
        offer = await self._desk.open(user, press)
        return _show(render.confirm(offer, press.message_id))

    async def _confirmed(self, user: ChatUser, execute: Execute) -> Answer:
        """The vote, and what came of it for whoever cast it; everybody else's card is brought up to date by the bot."""
        offer = _carried(execute, render.OFFER)
        typed = execute.data.get(render.REASON)
        reason = typed if isinstance(typed, str) and typed.strip() else None
        if reason is not None and len(reason) > 3000:
            raise InvalidActivity("the reason is longer than the field for it")
        voted = await self._desk.cast(user, offer, reason)
        card = await self._desk.card(voted)
        return _show(render.review(card, _carried(execute, render.MESSAGE), buttons=False, said="You have decided."))

    async def _looked(self, user: ChatUser, one: Invoke) -> Answer:
        """The card as it stands, with buttons for those who may press them."""
        press = _press(one, BallotVerdict.DENY)
        card, obstacle = await self._desk.look(user, press)
        said = None if obstacle is None else f"{obstacle[:1].upper()}{obstacle[1:]}."
        return _show(render.review(card, press.message_id, buttons=obstacle is None, said=said))

    async def _heard(self, one: Activity) -> None:
        """Something was written to the bot, or it came or went."""
        try:
            if isinstance(one, Update):
                await self._updated(one)
            elif isinstance(one, Message):
                await self._written(one)
        except SendFailed as failed:
            log.warning("channel_send_failed", extra={"consentry_fields": {"code": failed.code}})

    async def _updated(self, one: Update) -> None:
        person = one.who.aad if isinstance(one.who, Somebody) and one.conversation.kind == PERSONAL else None
        if any(_bare(member.id) == _bare(self._config.bot) for member in one.removed):
            if person is not None:
                await self._book.forget(person)
        elif any(_bare(member.id) == _bare(self._config.bot) for member in one.added):
            await self._book.remember(person or ANY, one.conversation.id, one.service_url)
            if person is not None:
                await self._reply(one, HELP)

    async def _written(self, one: Message) -> None:
        if one.conversation.kind != PERSONAL:  # a link is for one person's eyes
            await self._reply(one, "Write to me in a chat of our own: open my name, then *Chat*.")
            return
        user = _user(self._config, one.who)
        await self._book.remember(user.subject, one.conversation.id, one.service_url)
        try:
            await self._command(one, user, _AT.sub("", one.text).strip().lower())
        except NotLinked:
            await self._reply(one, UNLINKED)

    async def _command(self, one: Message, user: ChatUser, word: str) -> None:
        if word == "list":
            found = await self._desk.waiting(user)
            await self._post(one, activity(render.listing(found, self._desk.origin)))
        elif word == "link":
            await self._post(one, activity(_linking(await self._desk.link(user))))
        elif word == "unlink":
            await self._desk.unlink(user)
            await self._reply(one, "This Teams account is nobody's any more.")
        else:
            await self._reply(one, HELP)

    async def _reply(self, one: Activity, text: str) -> None:
        """Words of ours only."""
        await self._post(one, {"type": "message", "text": text, "textFormat": "markdown"})

    async def _post(self, one: Activity, body: Mapping[str, object]) -> None:
        told = {**body, "replyToId": one.id}
        await self._api.connector("POST", one.service_url, one.conversation.id, "activities", one.id, body=told)


def _linking(url: str) -> render.Message:
    title = "Make this account yours"
    return render.Message(
        title,
        {
            "type": "AdaptiveCard",
            "version": "1.5",
            "body": [
                line(run(title, bold=True)),
                line(run("Sign in there and confirm. The link works once, for ten minutes; give it to nobody.")),
            ],
            "actions": [{"type": "Action.OpenUrl", "title": "Link this Teams account to myself", "url": url}],
        },
    )


def _user(config: TeamsConfig, who: Somebody) -> ChatUser:
    return ChatUser(CHANNEL, config.tenant, who.aad)


def _press(one: Invoke, verdict: BallotVerdict) -> Press:
    """Where the provider says that the card stands, and which message the card says that it is."""
    return Press(_carried(one.value.action, render.MESSAGE), one.conversation.id, one.message, verdict)


def _carried(execute: Execute, name: str) -> str:
    found = execute.data.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= 200:
        raise InvalidActivity(f"the action has no usable `{name}`")
    return found


def _bare(member: str) -> str:
    return member.removeprefix("28:").lower()


def _sentence(error: ConsentryError) -> str:
    """An error as a sentence; its text names no value of anybody."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _show(card: Mapping[str, object]) -> Answer:
    return {"statusCode": 200, "type": CARD, "value": dict(card)}


def _say(text: str) -> Answer:
    return {"statusCode": 200, "type": "application/vnd.microsoft.activity.message", "value": text}


def _parse(model: type[Model], value: Mapping[str, object]) -> Model:
    try:
        return model.model_validate(dict(value))
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise InvalidActivity(f"the activity has no usable `{place}`") from None
