"""What can go wrong at the HTTP door: requests that are not taken, waiting that has not ended, upstreams that fail."""

from __future__ import annotations

from consentry.consent.errors import GateError
from consentry.errors import ConsentryError, InvalidInput


class Ambiguous(InvalidInput):
    """Two readers could read the request differently, so it is not passed on (threat H8)."""

    code = "ambiguous_request"


class MethodRefused(InvalidInput):
    """The method does not go through a door."""

    code = "method_refused"
    status = 405


class BodyTooLarge(ConsentryError):
    """The body is over a limit of the settings."""

    code = "too_large"
    status = 413


class TooSlow(InvalidInput):
    """The caller takes too long to send what it began."""

    code = "too_slow"
    status = 408


class UnreadableBody(InvalidInput):
    """A rule depends on the body, and the body cannot be read as JSON that has one meaning."""

    code = "unreadable_body"
    status = 415


class UnknownOperation(InvalidInput):
    """The resource takes only what its rules name."""

    code = "unknown_operation"
    status = 404


class Unreadable(GateError):
    """The answer cannot be looked into, and policy masks what this resource gives out (threat E9)."""

    code = "unreadable_answer"
    status = 502


class Denied(GateError):
    """Policy or a person said no."""

    code = "denied"


class Pending(GateError):
    """People have not decided yet; the same call continues."""

    code = "review_pending"
    status = 409


class NotPerformed(GateError):
    """The grant was used already, or ended before it was."""

    code = "not_performed"
    status = 409
