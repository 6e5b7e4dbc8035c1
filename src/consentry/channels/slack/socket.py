"""Socket Mode: Slack's callbacks over a connection that we open, for servers that nobody can reach.

The connection is made with the app's own token, so what comes over it is Slack's; there is no signature.
https://docs.slack.dev/apis/events-api/using-socket-mode
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from consentry.channels.model import ChannelMisconfigured
from consentry.channels.slack.api import QUIET, SlackApi
from consentry.channels.slack.config import SlackConfig
from consentry.channels.slack.receive import Answer, Receiver
from consentry.errors import ConsentryError

if TYPE_CHECKING:
    from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
    from slack_sdk.socket_mode.request import SocketModeRequest

FIRST_DELAY_S = 1.0
MAX_DELAY_S = 60.0
log = logging.getLogger("consentry.channels")


async def listen(config: SlackConfig, api: SlackApi, receiver: Receiver) -> None:
    """Receive until cancelled; connects again whenever the connection ends."""
    from slack_sdk.socket_mode.aiohttp import SocketModeClient

    if config.app_token is None:
        raise ChannelMisconfigured("`channels.slack.app_token` is missing: Socket Mode needs it")
    client = SocketModeClient(app_token=config.app_token(), web_client=api.client(), logger=QUIET)
    client.socket_mode_request_listeners.append(lambda one, request: _take(receiver, one, request))
    delay = FIRST_DELAY_S
    try:
        while True:
            try:
                await client.connect()  # type: ignore[no-untyped-call]
                break
            except Exception as error:  # whatever is wrong with the network or the token, try again
                log.warning("socket_not_connected", extra={"consentry_fields": {"error": type(error).__name__}})
                await asyncio.sleep(delay)
                delay = min(MAX_DELAY_S, delay * 2)
        await asyncio.Event().wait()  # the client keeps its connection by itself
    finally:
        await client.close()  # type: ignore[no-untyped-call]


async def _take(receiver: Receiver, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
    """Handle one envelope and acknowledge it with the answer."""
    from slack_sdk.socket_mode.response import SocketModeResponse

    answer: Answer | None = None
    try:
        answer = await _handle(receiver, request.type, request.payload)
    except ConsentryError as error:
        log.warning("callback_refused", extra={"consentry_fields": {"code": error.code}})
    await client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id, payload=answer))


async def _handle(receiver: Receiver, kind: str, payload: Mapping[str, object]) -> Answer | None:
    raw = json.dumps(payload, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if kind == "interactive":
        return await receiver.interaction(raw, raw)
    if kind == "slash_commands":
        return await receiver.command(payload, raw)
    return None
