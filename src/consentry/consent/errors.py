"""Why the gate says no. Every one has a stable code; the text names what to do next."""

from __future__ import annotations

from consentry.errors import ConsentryError, InvalidInput, NotFound


class GateError(ConsentryError):
    """The gate refused; nothing was changed."""

    code = "refused"
    status = 403


class UnknownAction(NotFound):
    """There is no such action, or it is not the asker's to know."""

    code = "unknown_action"


class UnknownRequest(NotFound):
    """There is no such request, or it is not the asker's to know."""

    code = "unknown_request"


class UnknownGrant(NotFound):
    """There is no such grant, or it is not the asker's to know."""

    code = "unknown_grant"


class NotEligible(GateError):
    """This person may not vote on this request; the message says which rule stands in the way."""

    code = "not_eligible"


class LinkedLater(GateError):
    """The chat account was linked after the request was opened, and so has no say in it."""

    code = "linked_later"


class AssuranceTooLow(GateError):
    """The rule asks for a stronger sign-in than this one."""

    code = "assurance_too_low"


class PasskeyRejected(GateError):
    """The passkey's signature is not one over this vote, or the passkey may not sign it."""

    code = "passkey_rejected"


class StaleView(GateError):
    """What the voter was shown is not what the request says now (invariant 7)."""

    code = "stale_view"
    status = 409


class AlreadyDecided(GateError):
    """The request is no longer pending."""

    code = "already_decided"
    status = 409


class AlreadyVoted(GateError):
    """One person is one vote."""

    code = "already_voted"
    status = 409


class ReasonRequired(InvalidInput):
    """This verb needs a reason."""

    code = "reason_required"


class NotGranted(GateError):
    """There is no grant for this action: it was denied, or nobody has consented yet."""

    code = "not_granted"


class AlreadyClaimed(GateError):
    """The grant was used; its outcome is on the action."""

    code = "already_claimed"
    status = 409


class Expired(GateError):
    """Time ran out, which denies (invariant 6)."""

    code = "expired"
    status = 410


class Void(GateError):
    """The grant no longer holds: policy, a voter's eligibility or an operand changed after it was given."""

    code = "void"
    status = 409


class OperandChanged(Void):
    """An operand's bytes are not those that were consented to (threat B1)."""

    code = "operand_changed"


class IdempotencyMismatch(GateError):
    """The idempotency key was used before for another action."""

    code = "idempotency_mismatch"
    status = 409


class NotAllowed(GateError):
    """This session may not do that."""

    code = "not_allowed"


class AlreadySettled(GateError):
    """The outcome of this claim was reported before."""

    code = "already_settled"
    status = 409


class LevelUnavailable(GateError):
    """Policy asks for a durability that this installation cannot give, so the action is denied."""

    code = "level_unavailable"
    status = 503
