"""Slack's callbacks: open to anybody, and refused unless Slack signed them (threat D1)."""

from __future__ import annotations

from urllib.parse import parse_qsl

import orjson
from starlette.responses import Response

from consentry.channels.slack.receive import MAX_BODY, BadSignature, InvalidCallback, verify
from consentry.errors import NotFound
from consentry.server.access import ANYBODY
from consentry.server.channels import Slack
from consentry.server.endpoint import JSON, Call, Endpoint

TIMESTAMP, SIGNATURE = "x-slack-request-timestamp", "x-slack-signature"


async def interactions(call: Call, body: bytes) -> Response:
    slack = _signed(call, body)
    payload = _form(body).get("payload")
    if payload is None:
        raise InvalidCallback("the form has no `payload`")
    return _answer(await slack.receiver.interaction(payload.encode("utf-8"), _once(call, body)))


async def commands(call: Call, body: bytes) -> Response:
    slack = _signed(call, body)
    return _answer(await slack.receiver.command(_form(body), _once(call, body)))


def _signed(call: Call, body: bytes) -> Slack:
    """The channel, once the signature is checked. Raises `NotFound`, `BadSignature`."""
    slack = call.services.channels.slack
    if slack is None or not slack.http or slack.config.signing_secret is None:
        raise NotFound("Slack is not switched on here: see `channels.slack`")
    headers = call.headers
    now_s = call.services.gate.store.clock_ms() / 1000
    secret = slack.config.signing_secret()
    verify(secret, body, headers.getlist(TIMESTAMP), headers.getlist(SIGNATURE), now_s)
    return slack


def _once(call: Call, body: bytes) -> bytes:
    """What a replay repeats: the body with the time that was signed."""
    return call.headers[TIMESTAMP].encode() + b"\n" + body


def _form(body: bytes) -> dict[str, str]:
    """A form in which every name stands once. Raises `InvalidCallback`."""
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=64, errors="strict")
    except (ValueError, UnicodeError):
        raise InvalidCallback("the body is not a form in UTF-8") from None
    if len(dict(pairs)) != len(pairs):
        raise InvalidCallback("the form names the same thing twice")
    return dict(pairs)


def _answer(answer: dict[str, object] | None) -> Response:
    headers = {"cache-control": "no-store"}
    if answer is None:
        return Response(b"", 200, headers)
    return Response(orjson.dumps(answer), 200, headers, JSON)


ENDPOINTS = tuple(
    Endpoint(
        "POST", path, ANYBODY, handler, summary, "channels",
        raw=MAX_BODY, errors=(NotFound, BadSignature, InvalidCallback),
    )
    for path, handler, summary in (
        ("/channels/slack/interactions", interactions, "Slack tells of a pressed button or a confirmed dialog"),
        ("/channels/slack/commands", commands, "Slack tells of `/consentry`"),
    )
)  # fmt: skip
