"""What the entries of passkeys and of the votes that they signed must mean together. Part of `ledger.rules`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from consentry.ledger.errors import LedgerError
from consentry.ledger.passkey import RANK, Assertion, Registration, challenge_of, decode, verify_assertion

_Fields: TypeAlias = Mapping[str, Any]
_PARTS = ("nonce", "authenticator", "client", "signature")


class Asked(NamedTuple):
    """What a request asks of its votes: its digest, when it was opened, and the least assurance of each stage."""

    digest: str
    opened: str
    assurances: Sequence[int]


class Broken(NamedTuple):
    """A rule that does not hold. `absent`: what is referred to is not there, which a receipt may not have to hold."""

    code: str
    message: str
    absent: bool = False


def asked(fields: _Fields) -> Asked:
    """Read the entry of an opened request. Several stages that ask for different strengths say so one by one."""
    each = [int(rank) for rank in fields["assurances"] if rank.isdigit()] if "assurances" in fields else []
    if not each and fields.get("stages", 1) == 1:
        each = [fields.get("assurance", 0)]
    return Asked(fields["digest"], fields["time"], each)


class PasskeyRules:
    """The passkeys of the entries read so far."""

    def __init__(self) -> None:
        self._known: dict[str, Registration] = {}
        self._removed: set[str] = set()
        self._nonces: set[str] = set()

    def registered(self, fields: _Fields) -> Iterator[Broken]:
        """Take note of a registration."""
        if fields["passkey"] in self._known:
            yield Broken("passkey_invalid", "the passkey was registered before")
            return
        try:
            key = decode(fields["key"])
        except LedgerError as error:
            yield Broken("passkey_invalid", str(error))
            return
        self._known[fields["passkey"]] = Registration(
            fields["passkey"], fields["person"], key, fields["rp"], fields["origin"], fields["time"]
        )

    def removed(self, fields: _Fields) -> Iterator[Broken]:
        """Take note of a removal."""
        if fields["passkey"] not in self._known:
            yield Broken("passkey_unknown", "a passkey was removed that was not registered before", absent=True)
        self._removed.add(fields["passkey"])

    def voted(self, fields: _Fields, request: Asked) -> Iterator[Broken]:
        """Check one vote: whether a passkey had to sign it, and the signature where there is one."""
        if "passkey" not in fields:
            stage = fields.get("stage", 0)
            needed = request.assurances[stage] if stage < len(request.assurances) else 0
            if fields["assurance"] >= RANK:
                yield Broken("passkey_missing", "the vote claims a passkey, and holds no signature of one")
            elif needed >= RANK and fields["verdict"] == "approve":
                yield Broken("passkey_missing", "the stage asks for a passkey, and the vote was not signed by one")
            return
        found = self._known.get(fields["passkey"])
        if found is None:
            yield Broken("passkey_unknown", "signed by a passkey that was not registered before", absent=True)
            return
        if reason := self._why_not(fields, request, found):
            yield Broken("passkey_invalid", reason)

    def _why_not(self, fields: _Fields, request: Asked, passkey: Registration) -> str | None:
        if passkey.person != fields["person"]:
            return "signed by another person's passkey"
        if passkey.passkey in self._removed:
            return "signed by a passkey that was removed before"
        if passkey.registered >= request.opened:
            return "signed by a passkey that is younger than the request"
        if not all(name in fields for name in _PARTS):
            return "names a passkey, and does not hold all of what it signed"
        if fields["nonce"] in self._nonces:
            return "the challenge was used before"
        self._nonces.add(fields["nonce"])
        challenge = challenge_of(
            digest=request.digest,
            request=fields["request"],
            shown=fields["shown"],
            verdict=fields["verdict"],
            nonce=fields["nonce"],
        )
        try:
            assertion = Assertion(
                decode(fields["authenticator"]), decode(fields["client"]), decode(fields["signature"])
            )
            verify_assertion(passkey, challenge, assertion)
        except LedgerError as error:
            return str(error)
        return None
