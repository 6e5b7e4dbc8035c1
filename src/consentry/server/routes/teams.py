"""Teams' callbacks: open to anybody, and refused without a token of the Bot Framework for this bot (threat D1)."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from consentry.channels.teams.receive import MAX_BODY, InvalidActivity
from consentry.channels.teams.verify import BadToken
from consentry.errors import NotFound
from consentry.identity.jwt_keys import ProviderUnavailable
from consentry.server.access import ANYBODY
from consentry.server.endpoint import JSON, Call, Endpoint


async def messages(call: Call, body: bytes) -> Response:
    teams = call.services.channels.teams
    if teams is None:
        raise NotFound("Teams is not switched on here: see `channels.teams`")
    service_url = await teams.verifier.service_url(call.headers.getlist("authorization"))
    answer = await teams.receiver.activity(body, service_url)
    headers = {"cache-control": "no-store"}
    if answer is None:
        return Response(b"", 200, headers)
    return Response(orjson.dumps(answer), 200, headers, JSON)


ENDPOINTS = (
    Endpoint(
        "POST", "/channels/teams/messages", ANYBODY, messages, "Microsoft Teams tells of what people did", "channels",
        raw=MAX_BODY, errors=(NotFound, BadToken, InvalidActivity, ProviderUnavailable),
    ),
)  # fmt: skip
