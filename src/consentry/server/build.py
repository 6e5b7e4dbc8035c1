"""Wire everything together: settings to gate, gate to services."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from consentry.consent.gate import Gate
from consentry.consent.settings import GateSettings
from consentry.identity.passkeys import Passkeys
from consentry.policy.model import Resource
from consentry.server import held
from consentry.server.channels import open_channels, targets
from consentry.server.hub import Hub
from consentry.server.looking import Lens
from consentry.server.metrics import Metrics
from consentry.server.ratelimit import Attempts
from consentry.server.services import Services
from consentry.server.settings import InvalidSettings, Settings
from consentry.server.settings_channels import WebhookSettings
from consentry.server.signing_in import open_directory, open_sign_in
from consentry.server.visibility import Visibility


def gate_settings(settings: Settings, clock_offset_ms: Callable[[], int] = lambda: 0) -> GateSettings:
    """What the gate is told. `clock_offset_ms` moves its clock, for rehearsals of what waits."""
    return GateSettings(
        clock_offset_ms=clock_offset_ms,
        data_dir=settings.data_dir,
        store_url=settings.store_url,
        ledger_origin=settings.ledger.origin,
        ledger_key=_file(settings.ledger.key, "ledger.key"),
        keeper=_file(settings.ledger.keeper, "ledger.keeper"),
        policy_dir=settings.policy.dir,
        resources={name: Resource(name, one.kind, dict(one.labels)) for name, one in settings.resources.items()},
        targets=(*(target_of(hook) for hook in settings.webhooks), *targets(settings)),
        lease_ms=settings.limits.lease,
    )


def target_of(hook: WebhookSettings) -> str:
    """The name of a webhook in the outbox. It stays the same while the address does."""
    return f"webhook:{hashlib.sha256(hook.url.encode()).hexdigest()[:16]}"


@asynccontextmanager
async def open_services(
    settings: Settings, *, origin: str | None = None, clock_offset_ms: Callable[[], int] = lambda: 0
) -> AsyncIterator[Services]:
    """An open gate with everything around it; closed again at the end."""
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    gate = await Gate.open(gate_settings(settings, clock_offset_ms))
    try:
        address = origin or settings.origin
        directory = open_directory(settings, gate.store)
        sign_in = open_sign_in(settings, gate.store, directory, address)
        metrics = Metrics()
        try:
            yield Services(
                gate=gate,
                directory=directory,
                sign_in=sign_in,
                settings=settings,
                lens=Lens(settings.sanitize, settings.resources),
                metrics=metrics,
                attempts=Attempts(settings.identity.attempts),
                hub=Hub(gate),
                visibility=Visibility(gate),
                passkeys=Passkeys(gate.store, lambda: address),
                channels=open_channels(settings, gate, metrics, address),
                streams=held.streams(settings.limits),
                waits=held.waits(settings.limits),
                origin=address,
            )
        finally:
            await sign_in.close()
            directory.close()
    finally:
        await gate.close()


def _file(reference: str | None, key: str) -> Path | None:
    if reference is None:
        return None
    scheme, _, path = reference.partition(":")
    if scheme != "file" or not path:
        raise InvalidSettings(f"`{key}` must be `file:PATH`")
    return Path(path).expanduser()
