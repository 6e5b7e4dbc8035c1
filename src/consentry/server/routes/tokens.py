"""Tokens: an agent acting for somebody, a workload as its agent (RFC 8693); bound to a key where wanted (RFC 9449)."""

from __future__ import annotations

from consentry.identity.dpop import InvalidProof
from consentry.identity.errors import InvalidExchange
from consentry.identity.jwt_keys import ProviderUnavailable
from consentry.server.access import ANYBODY
from consentry.server.endpoint import Call, Endpoint
from consentry.server.guard import presentation
from consentry.server.problems import TooManyAttempts
from consentry.server.views.actions import link
from consentry.server.views.identity import TOKEN_TYPE, ExchangeBody, ExchangeView


async def exchange(call: Call, body: ExchangeBody) -> ExchangeView:
    services = call.services
    actor = None if body.actor_token is None else (body.actor_token, body.actor_token_type)
    proof = presentation(services, call.scope)
    try:
        made = await services.sign_in.exchange(actor, (body.subject_token, body.subject_token_type), proof)
    except (InvalidExchange, InvalidProof):
        services.attempts.failed(call.address)
        raise
    roster, expires = await services.gate.roster(), made.session.expires_at_ms or 0
    return ExchangeView(
        access_token=made.token,
        issued_token_type=TOKEN_TYPE,
        token_type="Bearer" if made.session.thumbprint is None else "DPoP",
        expires_in=max(0, (expires - services.gate.store.clock_ms()) // 1000),
        chain=[link(actor, roster) for actor in made.session.actor.links()],
    )


ENDPOINTS = (
    Endpoint(
        "POST", "/v1/tokens/exchange", ANYBODY, exchange,
        "Exchange an agent's token and somebody's token for one whose chain names both", "tokens",
        body=ExchangeBody, answer=ExchangeView, form=True,
        errors=(InvalidExchange, InvalidProof, ProviderUnavailable, TooManyAttempts),
    ),
)  # fmt: skip
