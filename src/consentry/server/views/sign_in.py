"""Providers, as whoever wants to sign in sees them."""

from __future__ import annotations

from pydantic import Field

from consentry.server.views.base import View


class ProviderView(View):
    """A provider at which people can sign in, in a browser."""

    name: str
    label: str = Field(description="what its button says")
    url: str = Field(description="where a browser begins")


class ProvidersPage(View):
    items: list[ProviderView]
