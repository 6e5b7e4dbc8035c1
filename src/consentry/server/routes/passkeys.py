"""Passkeys: register, list, remove, and ask for the signature of a vote."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from consentry.consent import errors as gate
from consentry.consent.errors import StaleView
from consentry.consent.model import Request
from consentry.errors import InvalidInput
from consentry.identity.passkey import (
    Options,
    PasskeyInvalid,
    PasskeyUnavailable,
    SessionNotFresh,
    UnknownPasskey,
)
from consentry.identity.passkeys import why_none
from consentry.policy.model import Assurance
from consentry.server.access import PERSONS
from consentry.server.endpoint import Call, Endpoint
from consentry.server.views.passkeys import (
    ChallengeBody,
    ConfirmedBody,
    OptionsView,
    PasskeyBody,
    PasskeysPage,
    PasskeyView,
    RemovalBody,
    StepUpView,
)

if TYPE_CHECKING:
    from consentry.server.services import Services


async def every(call: Call) -> PasskeysPage:
    found = await call.services.passkeys.of(call.session.subject)
    return PasskeysPage(items=[PasskeyView.of(one) for one in found])


async def confirm(call: Call) -> OptionsView:
    return _options(await call.services.passkeys.confirm(call.session))


async def begin(call: Call, body: ConfirmedBody) -> OptionsView:
    return _options(await call.services.passkeys.begin(call.session, body.signed()))


async def register(call: Call, body: PasskeyBody) -> PasskeyView:
    made = await call.services.passkeys.register(call.session, body.name, body.credential.credential())
    return PasskeyView.of(made)


async def remove(call: Call, body: RemovalBody) -> Response:
    await call.services.passkeys.remove(call.session, call.path["passkey_id"], body.reason, body.signed())
    return Response(status_code=204, headers={"cache-control": "no-store"})


async def challenge(call: Call, body: ChallengeBody) -> OptionsView:
    request = await call.services.visibility.require_request(call.session, call.path["request_id"])
    if body.shown_digest != request.shown_digest:
        raise StaleView("`shown_digest` is not that of this request: look at the request again, then decide")
    return _options(await call.services.passkeys.ask(call.session, request, body.verdict, body.shown_digest))


async def step_up(services: Services, person: str, request: Request) -> StepUpView | None:
    """What a person must know before they approve in the present stage; `None` where it asks for no passkey."""
    if request.obligations.stages[request.stage].assurance is not Assurance.PASSKEY:
        return None
    passkeys = services.passkeys
    try:
        rp = passkeys.site.rp
    except PasskeyUnavailable as error:
        return StepUpView(usable=0, text=str(error))
    held = [one for one in await passkeys.of(person) if one.rp == rp]
    usable = sum(1 for one in held if one.created_at_ms < request.opened_at_ms)
    return StepUpView(usable=usable, text=None if usable else why_none(bool(held)))


def _options(made: Options) -> OptionsView:
    return OptionsView(public_key=orjson.loads(made.json), origin=made.origin)


ENDPOINTS = (
    Endpoint("GET", "/v1/passkeys", PERSONS, every, "The caller's passkeys", "passkeys", answer=PasskeysPage),
    Endpoint(
        "POST", "/v1/passkeys/confirmation", PERSONS, confirm,
        "Ask for the signature that a change to the caller's passkeys takes, where they have one", "passkeys",
        answer=OptionsView, errors=(UnknownPasskey, PasskeyUnavailable, gate.NotAllowed),
    ),
    Endpoint(
        "POST", "/v1/passkeys/registration", PERSONS, begin,
        "Begin to register a passkey: what to ask the browser for; takes a fresh session", "passkeys",
        body=ConfirmedBody, body_optional=True, answer=OptionsView,
        errors=(
            SessionNotFresh, PasskeyUnavailable, InvalidInput, gate.NotAllowed, gate.AssuranceTooLow,
            gate.PasskeyRejected,
        ),
    ),
    Endpoint(
        "POST", "/v1/passkeys", PERSONS, register, "Register the passkey that the browser made", "passkeys",
        body=PasskeyBody, answer=PasskeyView, status=201,
        errors=(PasskeyInvalid, PasskeyUnavailable, gate.NotAllowed, InvalidInput),
    ),
    Endpoint(
        "DELETE", "/v1/passkeys/{passkey_id}", PERSONS, remove,
        "Let a passkey count no more: one's own, or somebody else's as an administrator", "passkeys",
        body=RemovalBody, body_optional=True, status=204,
        errors=(UnknownPasskey, gate.AssuranceTooLow, gate.PasskeyRejected),
    ),
    Endpoint(
        "POST", "/v1/requests/{request_id}/challenge", PERSONS, challenge,
        "Ask for the signature of a vote: the challenge is over exactly this vote, and holds for five minutes",
        "passkeys", body=ChallengeBody, answer=OptionsView,
        errors=(gate.UnknownRequest, gate.StaleView, UnknownPasskey, PasskeyUnavailable),
    ),
)  # fmt: skip
