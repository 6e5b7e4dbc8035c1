"""What people do in Slack: press, confirm, type `/consentry`. The same for HTTP and Socket Mode.

Who somebody is comes from the pair (team, user) of a callback that Slack signed, and from the link that they made by
signing in (threats D1, D2, D3). Everything else in a callback is only what they typed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from consentry.actions.json import parse_object
from consentry.channels.deciding import Desk, Press
from consentry.channels.linking import ChatUser, NotLinked
from consentry.channels.model import SendFailed
from consentry.channels.slack import render
from consentry.channels.slack.api import SlackApi
from consentry.channels.slack.wire import Command, Pressed, Submitted, Team, User
from consentry.consent.model import BallotVerdict
from consentry.errors import ConsentryError, InvalidInput

MAX_BODY = 256 << 10
WINDOW_S = 300
_VERDICTS = {render.APPROVE: BallotVerdict.APPROVE, render.DENY: BallotVerdict.DENY}
HELP = "`/consentry` lists what waits for you · `/consentry link` makes this account yours · `/consentry unlink`"
Answer = dict[str, object]
Model = TypeVar("Model", bound=BaseModel)
log = logging.getLogger("consentry.channels")


class BadSignature(ConsentryError):
    """The callback is not signed by Slack, or too old."""

    code = "bad_signature"
    status = 401


class InvalidCallback(InvalidInput):
    """The callback lacks something, or holds it in another shape."""

    code = "invalid_callback"


def verify(secret: str, body: bytes, timestamps: list[str], signatures: list[str], now_s: float) -> None:
    """Raises `BadSignature` unless Slack signed exactly this body within the last five minutes (threat D1).

    https://docs.slack.dev/authentication/verifying-requests-from-slack
    """
    from slack_sdk.signature import Clock, SignatureVerifier

    class Now(Clock):
        def now(self) -> float:
            return now_s

    if len(timestamps) != 1 or len(signatures) != 1:
        raise BadSignature("a signature and its timestamp must be there, once each")
    timestamp, signature = timestamps[0], signatures[0]
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16 and signature.isascii()):
        raise BadSignature("the timestamp is not a number of seconds")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BadSignature("the body is not UTF-8") from None
    if not SignatureVerifier(secret, Now()).is_valid(text, timestamp, signature):
        raise BadSignature("the signature is not Slack's, or its time is more than five minutes off")


class Receiver:
    """Answers callbacks. Each counts once, however often it comes."""

    def __init__(self, desk: Desk, api: SlackApi) -> None:
        self._desk = desk
        self._api = api

    async def interaction(self, payload: bytes, once: bytes) -> Answer | None:
        """A pressed button or a confirmed dialog. `once` is what a replay would repeat. Raises `InvalidCallback`."""
        value = parse_object(payload, limit=MAX_BODY)
        if not await self._desk.first_time(once):
            return None
        kind = value.get("type")
        if kind == "block_actions":
            await self._pressed(_parse(Pressed, value))
            return None
        if kind == "view_submission":
            return await self._submitted(_parse(Submitted, value))
        raise InvalidCallback("this kind of interaction is not one of ours")

    async def command(self, fields: Mapping[str, object], once: bytes) -> Answer:
        """`/consentry`. Answers to who typed it only. Raises `InvalidCallback`."""
        one = _parse(Command, fields)
        user = ChatUser("slack", one.team_id, one.user_id)
        if not await self._desk.first_time(once):
            return _only_you("That was answered already.")
        try:
            return await self._command(user, one.text.strip().lower())
        except NotLinked as error:
            return _only_you(str(error))

    async def _command(self, user: ChatUser, word: str) -> Answer:
        if word in ("", "list"):
            found = await self._desk.waiting(user)
            blocks = render.listing(found, self._desk.origin)
            return {**_only_you(f"{len(found)} waiting for you"), "blocks": blocks}
        if word == "link":
            url = await self._desk.link(user)
            return _only_you(
                f"<{url}|Link this Slack account to yourself>. Sign in there and confirm. The link works once, "
                "for ten minutes; give it to nobody."
            )
        if word == "unlink":
            await self._desk.unlink(user)
            return _only_you("This Slack account is nobody's any more.")
        return _only_you(HELP)

    async def _pressed(self, one: Pressed) -> None:
        button = one.actions[0]
        if button.action_id == render.OPEN:
            return
        verdict = _VERDICTS.get(button.action_id)
        if verdict is None or button.value is None:
            raise InvalidCallback("this button is not one of ours")
        user = _user(one.user, one.team)
        press = Press(button.value, one.channel.id, one.message.ts, verdict)
        try:
            offer = await self._desk.open(user, press)
            await self._api.call("views.open", trigger_id=one.trigger_id, view=render.modal(offer))
        except ConsentryError as error:
            await self._whisper(one, error)

    async def _whisper(self, one: Pressed, error: ConsentryError) -> None:
        """Tell who pressed, and nobody else, why nothing happened."""
        try:
            await self._api.call(
                "chat.postEphemeral", channel=one.channel.id, user=one.user.id, text=_sentence(error), parse="none"
            )
        except SendFailed as failed:
            log.warning("channel_send_failed", extra={"consentry_fields": {"code": failed.code}})

    async def _submitted(self, one: Submitted) -> Answer | None:
        if one.view.callback_id != render.CONFIRM:
            raise InvalidCallback("this dialog is not one of ours")
        typed = one.view.state.values.get(render.REASON, {}).get(render.WORDS)
        reason = typed.value if typed is not None and typed.value and typed.value.strip() else None
        try:
            await self._desk.cast(_user(one.user, one.team), one.view.private_metadata, reason)
        except ConsentryError as error:
            return {"response_action": "errors", "errors": {render.REASON: _sentence(error)}}
        return {"response_action": "clear"}


def _user(user: User, team: Team) -> ChatUser:
    return ChatUser("slack", user.team_id or team.id, user.id)


def _sentence(error: ConsentryError) -> str:
    """An error as a sentence; its text names no value of anybody."""
    text = str(error).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"{text[:1].upper()}{text[1:]}."


def _only_you(text: str) -> Answer:
    return {"response_type": "ephemeral", "text": text}


def _parse(model: type[Model], value: Mapping[str, object]) -> Model:
    try:
        return model.model_validate(dict(value))
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise InvalidCallback(f"the callback has no usable `{place}`") from None
