"""Messages to Slack: posted, changed, and found again where nobody knows whether they arrived."""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType
from typing import Self, cast

from consentry.channels.model import Outgoing, Posted, Remark, SendFailed
from consentry.channels.slack import render
from consentry.channels.slack.api import SlackApi
from consentry.channels.slack.route import USER

PAGE = 200
QUIET = {"unfurl_links": False, "unfurl_media": False, "link_names": False, "parse": "none"}
"""Slack looks at nothing in our texts by itself."""


class SlackSender:
    """A message a second to each conversation, which is what Slack takes.

    https://docs.slack.dev/apis/web-api/rate-limits
    """

    gap_ms = 1_000

    def __init__(self, api: SlackApi) -> None:
        self._api = api
        self._known: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def post(self, message: Outgoing) -> Posted:
        address = await self._conversation(message.target)
        if message.again and (found := await self._find(address, message.id)) is not None:
            await self.update(found, message)  # what it says may have been decided meanwhile
            return found
        shown = render.of(message)
        answer = await self._api.call(
            "chat.postMessage",
            channel=address,
            text=shown.text,
            blocks=list(shown.blocks),
            metadata=_metadata(message.id, message.card.request),
            **QUIET,
        )
        posted = Posted(_text(answer, "channel"), _text(answer, "ts"))
        self._known[message.target] = posted.address
        return posted

    async def update(self, posted: Posted, message: Outgoing) -> None:
        shown = render.of(message)
        await self._api.call(
            "chat.update",
            channel=posted.address,
            ts=posted.provider_id,
            text=shown.text,
            blocks=list(shown.blocks),
            metadata=_metadata(message.id, message.card.request),
            **{name: value for name, value in QUIET.items() if not name.startswith("unfurl")},
        )

    async def note(self, posted: Posted, remark: Remark) -> str:
        if remark.again and (found := await self._find(posted.address, remark.id, posted.provider_id)) is not None:
            return found.provider_id
        answer = await self._api.call(
            "chat.postMessage",
            channel=posted.address,
            thread_ts=posted.provider_id,
            text=render.note(remark.message.card, remark.kind),
            metadata=_metadata(remark.id, remark.message.card.request),
            **QUIET,
        )
        return _text(answer, "ts")

    async def _conversation(self, target: str) -> str:
        """What Slack calls a target; a channel's name stays until its first message says more."""
        if target in self._known or not target.startswith(USER):
            return self._known.get(target, target)
        answer = await self._api.call("conversations.open", users=target.removeprefix(USER))
        channel = answer.get("channel")
        address = channel.get("id") if isinstance(channel, dict) else None
        if not isinstance(address, str):
            raise SendFailed("Slack opened a conversation without an id")
        self._known[target] = address
        return address

    async def _find(self, address: str, message_id: str, thread: str | None = None) -> Posted | None:
        """A message of ours by its metadata, among the newest of a conversation or a thread.

        Without the right to look (`channels:history`), nobody can tell, and it is sent again: twice is better than not.
        """
        try:
            channel = await self._resolve(address)
            method = "conversations.history" if thread is None else "conversations.replies"
            place = {"channel": channel} if thread is None else {"channel": channel, "ts": thread}
            answer = await self._api.read(method, **place, limit=PAGE, include_all_metadata=True)
        except SendFailed as error:
            if error.ambiguous or error.code != SendFailed.code:
                raise
            return None
        for one in _list(answer, "messages"):
            if _id_in(one) == message_id:
                return Posted(channel, _text(one, "ts"))
        return None

    async def _resolve(self, address: str) -> str:
        """The id of a channel that is known by name only."""
        if not address.startswith("#"):
            return address
        cursor = ""
        while True:
            answer = await self._api.read(
                "conversations.list", limit=1000, cursor=cursor, types="public_channel,private_channel"
            )
            for one in _list(answer, "channels"):
                if one.get("name") == address.removeprefix("#"):
                    return _text(one, "id")
            more = answer.get("response_metadata")
            cursor = str(more.get("next_cursor") or "") if isinstance(more, dict) else ""
            if not cursor:
                raise SendFailed("Slack knows no channel of this name: see `channels.slack.channel`")


def _metadata(message_id: str, request_id: str) -> dict[str, object]:
    return {"event_type": render.EVENT, "event_payload": {"id": message_id, "request": request_id}}


def _id_in(found: dict[str, object]) -> object:
    metadata = found.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    return payload.get("id") if isinstance(payload, dict) else None


def _list(answer: dict[str, object], name: str) -> Iterable[dict[str, object]]:
    found = answer.get(name)
    return [cast("dict[str, object]", one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _text(answer: dict[str, object], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise SendFailed(f"Slack's answer has no `{name}`", ambiguous=True)
    return value
