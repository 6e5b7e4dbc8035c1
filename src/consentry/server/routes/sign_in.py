"""Where people can sign in, for whoever draws the buttons or says it in a terminal."""

from __future__ import annotations

from consentry.identity.oidc_sign_in import label
from consentry.server.access import ANYBODY
from consentry.server.endpoint import Call, Endpoint
from consentry.server.views.sign_in import ProvidersPage, ProviderView


async def providers(call: Call) -> ProvidersPage:
    services = call.services
    return ProvidersPage(
        items=[
            ProviderView(name=one.name, label=label(one), url=f"{services.origin}/sign-in/oidc/{one.name}")
            for one in services.sign_in.providers
        ]
    )


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/sign-in/providers", ANYBODY, providers, "The providers at which people can sign in", "sessions",
        answer=ProvidersPage,
    ),
)  # fmt: skip
