"""What can go wrong at every door: payloads that cannot be read, upstreams that fail."""

from __future__ import annotations

from typing import ClassVar

from consentry.consent.errors import GateError
from consentry.errors import ConsentryError


class LensFailed(GateError):
    """The payload could not be read, so nobody can judge the action: it is denied (invariant 9)."""

    code = "lens_failed"


class UpstreamFailed(ConsentryError):
    """The upstream did not answer. `sent` says whether it may have begun to do what it was asked."""

    code = "upstream_failed"
    status: ClassVar[int] = 502
    sent: bool = True


class UpstreamDown(UpstreamFailed):
    """The upstream could not be reached: nothing was sent."""

    code = "upstream_down"
    sent = False


class UpstreamSlow(UpstreamFailed):
    """The upstream took longer than the settings allow; how it went is unknown."""

    code = "upstream_slow"
    status = 504


class UpstreamBroke(UpstreamFailed):
    """The upstream closed in the middle or sent what is nothing of its protocol; how it went is unknown."""

    code = "upstream_broke"
