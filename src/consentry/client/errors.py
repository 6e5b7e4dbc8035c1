"""What can go wrong on the caller's side. Each has a stable `code`; those of the API keep the API's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from consentry.client.model import Reason
from consentry.errors import ConsentryError, InvalidInput, Unavailable


class NotAdmitted(ConsentryError):
    """The action must not be performed. `action_id` and `request_id` name what can be looked up."""

    code = "not_admitted"
    status = 403

    def __init__(self, message: str, *, action_id: str | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.action_id = action_id
        self.request_id = request_id


class Denied(NotAdmitted):
    """Policy or a person said no. `reasons` are policy's; `said` is the text of the person who denied."""

    code = "denied"

    def __init__(
        self,
        message: str,
        *,
        reasons: Sequence[Reason] = (),
        said: str | None = None,
        action_id: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message, action_id=action_id, request_id=request_id)
        self.reasons = tuple(reasons)
        self.said = said


class Expired(NotAdmitted):
    """Nobody consented in time, or the grant was not used in time. Silence never consents."""

    code = "expired"
    status = 410


class Withdrawn(NotAdmitted):
    """Whoever asked took the request back."""

    code = "withdrawn"
    status = 409


class Revoked(NotAdmitted):
    """The grant was taken back before it was used."""

    code = "revoked"
    status = 409


class Void(NotAdmitted):
    """The grant no longer holds: policy, a voter's eligibility or an operand changed after it was given."""

    code = "void"
    status = 409


class OperandChanged(Void):
    """An operand's bytes are not those that were consented to; nothing was performed."""

    code = "operand_changed"


class AlreadyClaimed(NotAdmitted):
    """The grant was used before: perform nothing. What came of it is on the action."""

    code = "already_claimed"
    status = 409


class StillPending(NotAdmitted):
    """The caller's own waiting ran out; the request is still open. Come back with the same `idempotency_key`.

    `url` is where people decide.
    """

    code = "still_pending"
    status = 408

    def __init__(
        self, message: str, *, action_id: str | None = None, request_id: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(message, action_id=action_id, request_id=request_id)
        self.url = url


class Unreachable(Unavailable):
    """The server did not answer, and trying longer was not safe or no longer allowed."""

    code = "unreachable"


class OutcomeNotRecorded(Unreachable):
    """The action was performed and its outcome could not be reported: it will show as `unknown` to people."""

    code = "outcome_not_recorded"

    def __init__(self, message: str, *, claim_id: str, action_id: str) -> None:
        super().__init__(message)
        self.claim_id = claim_id
        self.action_id = action_id


class NotBindable(InvalidInput):
    """A parameter of a guarded function has no exact JSON form and no hash. The message names it."""

    code = "not_bindable"


class Misused(InvalidInput):
    """The SDK was set up or called in a way that cannot work; the message says what to do."""

    code = "misused"


class Refused(ConsentryError):
    """The server refused for a reason that has no class of its own; `code` is the server's."""

    code = "refused"

    def __init__(self, message: str, *, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]
        self.status = status  # type: ignore[misc]


_BY_CODE: Mapping[str, type[NotAdmitted]] = {
    kind.code: kind for kind in (Denied, Expired, Withdrawn, Revoked, Void, OperandChanged, AlreadyClaimed)
} | {"not_granted": Denied}


def from_code(code: str, message: str, status: int, *, action_id: str | None = None) -> ConsentryError:
    """The error for a problem document's `code`."""
    kind = _BY_CODE.get(code)
    if kind is not None:
        return kind(message, action_id=action_id)
    return Refused(message, code=code, status=status)
