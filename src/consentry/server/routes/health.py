"""Whether the server lives, whether it is ready, and its numbers."""

from __future__ import annotations

from starlette.responses import Response

from consentry.errors import ConsentryError, Unavailable
from consentry.server.access import ANYBODY, AUDITORS_ONLY
from consentry.server.endpoint import Call, Endpoint
from consentry.server.views.others import HealthView, ReadyView


class NotReady(Unavailable):
    """The store or the ledger does not take entries."""

    code = "not_ready"


async def alive(call: Call) -> HealthView:
    return HealthView(status="ok")


async def ready(call: Call) -> ReadyView:
    services = call.services
    if services.stopping.is_set():
        raise NotReady("the server is stopping")
    health = await services.gate.health()
    age = health.checkpoint_age_ms
    return ReadyView(
        ready=True,
        store=True,
        ledger_size=health.ledger_size,
        checkpoint_age_s=None if age is None else age / 1000,
        policy_version=health.policy_version,
    )


async def metrics(call: Call) -> Response:
    services = call.services
    gauges: dict[str, float] = {
        "consentry_waiting_callers": services.waits.taken,
        "consentry_event_streams": services.streams.taken,
        "consentry_up": 1,
    }
    try:
        health = await services.gate.health()
    except ConsentryError:
        gauges["consentry_up"] = 0
    else:
        gauges |= {
            "consentry_ledger_size": health.ledger_size,
            "consentry_ledger_unplaced": health.unplaced,
            "consentry_checkpoint_size": health.checkpoint_size,
            "consentry_checkpoint_age_seconds": (health.checkpoint_age_ms or 0) / 1000,
            "consentry_requests_pending": health.pending,
            "consentry_claims_unknown": health.unknown,
        }
    return Response(
        services.metrics.text(gauges), 200, {"cache-control": "no-store"}, "text/plain; version=0.0.4; charset=utf-8"
    )


ENDPOINTS = (
    Endpoint("GET", "/healthz", ANYBODY, alive, "That the process answers", "health", answer=HealthView),
    Endpoint(
        "GET", "/readyz", ANYBODY, ready, "That store and ledger take entries", "health",
        answer=ReadyView, errors=(NotReady,),
    ),
    Endpoint(
        "GET", "/metrics", AUDITORS_ONLY, metrics, "Prometheus metrics; open where `metrics.public` says so",
        "health", media="text/plain",
    ),
)  # fmt: skip
