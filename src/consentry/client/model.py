"""What the caller gets back: the API's documents, parsed once. Fields that a newer server adds are ignored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Status = Literal["succeeded", "failed"]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Reason(_Document):
    """Why: the id of a policy and its text for people."""

    policy: str
    text: str


class Decision(_Document):
    """What the gate says of one action now. `verdict` is policy's at submission; `state` moves on."""

    id: str
    digest: str
    verdict: Literal["allow", "review", "deny"]
    reasons: tuple[Reason, ...] = ()
    state: str
    request_id: str | None = None
    url: str | None = None
    """Where people decide."""
    expires_at: datetime | None = None
    decided_reason: str | None = None

    @property
    def waiting(self) -> bool:
        """Whether people still have to decide."""
        return self.state == "pending"

    @property
    def granted(self) -> bool:
        """Whether a claim may succeed now."""
        return self.state in ("allowed", "approved")


class ClaimGiven(_Document):
    """The right, taken: perform the action before `lease_until`, then report its outcome."""

    claim_id: str
    lease_until: datetime
    credentials: Mapping[str, str] | None = Field(default=None, repr=False)
    """Short-lived credentials for exactly this action, where a connector gives any."""
