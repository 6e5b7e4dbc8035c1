"""Policy, health, scanning."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from consentry.policy.model import Verdict
from consentry.server.views.actions import ActionBody, ObligationsView, ReasonView
from consentry.server.views.base import Body, Id, JsonMap, Storable, Time, View


class PolicyView(View):
    """The policy set in force. `version` is the SHA-256 of its content."""

    version: str
    files: dict[str, str]


class ApplyPolicyBody(Body):
    """The claim on an approved `policy.change`."""

    claim_id: Id


class ExplainBody(Body):
    """An action that nobody attempts, to see what policy would say of it."""

    action: ActionBody
    facts: JsonMap | None = Field(default=None, description="instead of what the lens reads; nothing comes of it")


class ReplayBody(Body):
    """A candidate policy set, or the one in force, to judge past actions by."""

    since: Time = Field(description="judge actions submitted at this time or later")
    files: dict[str, str] | None = Field(default=None, description="name to text; without it, the set in force")


class ChangedView(View):
    """One past action that would be judged otherwise."""

    id: str
    operation: str
    resource: str
    at_ms: int
    before: Verdict
    after: Verdict
    reasons: list[ReasonView]


class ReplayView(View):
    """How many past actions were judged again, and which verdicts would change."""

    judged: int
    policy_version: str
    changes: list[ChangedView]


class JudgementView(View):
    """What policy would say."""

    verdict: Verdict
    reasons: list[ReasonView]
    obligations: ObligationsView
    facts: JsonMap
    policy_version: str


class HealthView(View):
    """That the process answers."""

    status: str


class ReadyView(View):
    """Whether the store and the ledger take entries."""

    ready: bool
    store: bool
    ledger_size: int
    checkpoint_age_s: float | None
    policy_version: str


ScanText = Annotated[str, Field(max_length=1 << 20), Storable]


class ScanBody(Body):
    """A text, or records whose texts are looked at one by one."""

    text: ScanText | None = None
    records: list[JsonMap] | None = Field(default=None, max_length=10_000)
    profile: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")] | None = None


class FindingView(View):
    """A span of the text, or of the text at `path` in the records, and why it is believed to be that."""

    type: str
    start: int
    end: int
    score: float
    detector: str
    reason: str
    subtype: str | None
    path: list[str | int]


class ScanView(View):
    findings: list[FindingView]


class SanitizedView(View):
    """What was sent, transformed as the profile says; the findings' spans index the original."""

    text: str | None
    records: list[dict[str, JsonValue]] | None
    findings: list[FindingView]
