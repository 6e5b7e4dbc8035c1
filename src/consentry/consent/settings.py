"""What a gate needs to know before it opens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from consentry.policy.model import Resource


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Settings of one gate. `policy_dir` of `None` means the starter set.

    `keeper` is where the last checkpoint is kept outside the database; `None` means a file in `data_dir`.
    `targets` are outbox targets (webhooks, chat channels) that are told of what happens to requests.
    `clock_offset_ms` moves the store's clock, for rehearsals.
    """

    data_dir: Path
    store_url: str = ""
    ledger_origin: str = "localhost/consentry"
    ledger_key: Path | None = None
    keeper: Path | None = None
    policy_dir: Path | None = None
    resources: Mapping[str, Resource] = field(default_factory=dict)
    targets: tuple[str, ...] = ()
    lease_ms: int = 300_000
    sweep_seconds: float = 1.0
    checkpoint_seconds: float = 1.0
    idle_checkpoint_seconds: float = 3600.0
    max_standing_uses: int = 1_000
    max_standing_ms: int = 30 * 86_400_000
    clock_offset_ms: Callable[[], int] = lambda: 0
    background: bool = True
    """Whether the sweeper and the publisher run by themselves; a gate of one command may do without."""

    @property
    def url(self) -> str:
        return self.store_url or f"sqlite:///{self.data_dir / 'consentry.db'}"

    @property
    def key_path(self) -> Path:
        return self.ledger_key or self.data_dir / "ledger.key"

    @property
    def keeper_path(self) -> Path:
        return self.keeper or self.data_dir / "ledger.checkpoint"
