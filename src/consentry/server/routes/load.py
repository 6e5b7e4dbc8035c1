"""How reviews go: what they cost people, and what could be saved. Counts only."""

from __future__ import annotations

from consentry.server import load
from consentry.server.access import PERSONS
from consentry.server.endpoint import Call, Endpoint
from consentry.server.views.load import LoadQuery, LoadView


async def show(call: Call, query: LoadQuery) -> LoadView:
    report = await load.report(call.services, call.session, int(query.days))
    return LoadView.of(report, await call.services.gate.roster(), call.services.origin)


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/load", PERSONS, show, "How long decisions take, who carries them, and which rules ask most",
        "requests", query=LoadQuery, answer=LoadView,
    ),
)  # fmt: skip
