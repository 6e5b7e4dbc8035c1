"""What entries must mean together: the invariants of consent, checked by someone who has only the log.

Reads entries in the order of the log. In a whole log everything that an entry refers to stands before it; in a receipt
the reader sees one action's entries only, and what is not there makes the receipt unverifiable, not tampered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from consentry.ledger.entry import Entry
from consentry.ledger.passkey_rules import Asked, Broken, PasskeyRules, asked
from consentry.ledger.report import Finding, Outcome

_Fields: TypeAlias = dict[str, Any]
"""An entry's fields. INVARIANT: the grammar has proved that the required ones stand, and the types of all."""


@dataclass(slots=True)
class _Request:
    digest: str
    quorum: int
    authors: set[str]
    asked: Asked
    votes: dict[str, str] = field(default_factory=dict)
    decision: str = ""


@dataclass(slots=True)
class _Grant:
    action: str
    digest: str
    uses: int
    claims: int = 0
    end: str = ""


@dataclass(slots=True)
class _Claim:
    digest: str
    grant: str
    status: str = ""


class Rules:
    """The state after the entries read so far. Feed every entry to `read`; it answers with what does not hold."""

    def __init__(self, *, whole_log: bool) -> None:
        self.whole_log = whole_log
        self._requests: dict[str, _Request] = {}
        self._grants: dict[str, _Grant] = {}
        self._claims: dict[str, _Claim] = {}
        self._allowed: dict[str, str] = {}
        self._standing: set[str] = set()
        self._emergencies: dict[str, tuple[str, str]] = {}
        self._passkeys = PasskeyRules()
        self._found: list[Finding] = []
        self._index = 0
        self._readers: dict[str, Callable[[_Fields], None]] = {
            "action.allowed": self._action_allowed,
            "action.journaled": self._action_allowed,
            "request.opened": self._request_opened,
            "request.joined": self._request_joined,
            "request.vote": self._vote,
            "request.vote_void": self._vote_void,
            "request.approved": self._approved,
            "request.denied": self._decided,
            "request.expired": self._decided,
            "request.withdrawn": self._decided,
            "grant.opened": self._grant_opened,
            "grant.claimed": self._claimed,
            "grant.settled": self._settled,
            "grant.revoked": self._grant_ended,
            "grant.expired": self._grant_ended,
            "grant.void": self._grant_ended,
            "standing.created": self._standing_created,
            "breakglass.used": self._breakglass_used,
            "breakglass.reviewed": self._breakglass_reviewed,
            "passkey.registered": lambda fields: self._note(self._passkeys.registered(fields)),
            "passkey.removed": lambda fields: self._note(self._passkeys.removed(fields)),
        }

    def read(self, index: int, entry: Entry) -> Sequence[Finding]:
        """What entry `index` breaks; nothing for the types that no rule is about."""
        kind, fields = entry
        reader = self._readers.get(kind)
        if reader is None:
            return ()
        self._index = index
        reader(fields)
        if not self._found:
            return ()
        found, self._found = self._found, []
        return found

    def _broken(self, code: str, message: str) -> None:
        self._found.append(Finding(Outcome.TAMPERED, code, f"entry {self._index}", message))

    def _absent(self, code: str, message: str) -> None:
        outcome = Outcome.TAMPERED if self.whole_log else Outcome.UNVERIFIABLE
        self._found.append(Finding(outcome, code, f"entry {self._index}", message))

    def _note(self, broken: Iterable[Broken]) -> None:
        for each in broken:
            (self._absent if each.absent else self._broken)(each.code, each.message)

    def _action_allowed(self, fields: _Fields) -> None:
        if self._allowed.setdefault(fields["action"], fields["digest"]) != fields["digest"]:
            self._broken("digest_differs", "the action was allowed before under another digest")

    def _request_opened(self, fields: _Fields) -> None:
        if fields["request"] in self._requests:
            self._broken("request_reopened", "the request was opened before")
            return
        request = _Request(fields["digest"], fields["quorum"], set(fields["authors"]), asked(fields))
        self._requests[fields["request"]] = request

    def _request_joined(self, fields: _Fields) -> None:
        request = self._request(fields)
        if request is None:
            return
        if fields["digest"] != request.digest:
            self._broken("digest_differs", "an action with another digest joined the request")
        request.authors.update(fields["authors"])

    def _vote(self, fields: _Fields) -> None:
        request, person = self._request(fields), fields["person"]
        if request is None:
            return
        if request.decision:
            self._broken("vote_after_decision", f"a vote after the request was {request.decision}")
        if person in request.authors:
            self._broken("author_voted", "a person in the action's chain, or who edited or triggered it, voted")
        if person in request.votes:
            self._broken("voted_twice", "one person voted twice")
        if fields.get("digest", "") not in ("", request.digest):
            self._broken("digest_differs", "the vote is for another digest than the request")
        self._note(self._passkeys.voted(fields, request.asked))
        request.votes[person] = fields["verdict"]

    def _vote_void(self, fields: _Fields) -> None:
        request = self._request(fields)
        if request is None:
            return
        if request.votes.pop(fields["person"], None) is None:
            self._absent("vote_unknown", "a vote fell away that was not cast")

    def _approved(self, fields: _Fields) -> None:
        request = self._decide(fields)
        if request is None:
            return
        if fields["digest"] != request.digest:
            self._broken("digest_differs", "another digest was approved than was asked for")
        in_favour = {p for p, verdict in request.votes.items() if verdict == "approve"} - request.authors
        if "deny" in request.votes.values():
            self._broken("approved_over_denial", "approved although a person denied")
        if len(in_favour) < max(1, request.quorum):
            self._broken("quorum_missed", f"approved with {len(in_favour)} votes of {max(1, request.quorum)} needed")
        if not set(fields["approvers"]) <= in_favour:
            self._broken("approver_unknown", "names an approver who did not vote for it")

    def _decided(self, fields: _Fields) -> None:
        self._decide(fields)

    def _decide(self, fields: _Fields) -> _Request | None:
        request = self._request(fields)
        if request is None:
            return None
        if request.decision:
            self._broken("decided_twice", f"decided again after the request was {request.decision}")
        request.decision = fields["type"].removeprefix("request.")
        return request

    def _request(self, fields: _Fields) -> _Request | None:
        request = self._requests.get(fields["request"])
        if request is None:
            self._absent("request_unknown", "refers to a request that was not opened before")
        return request

    def _grant_opened(self, fields: _Fields) -> None:
        if fields["grant"] in self._grants:
            self._broken("grant_reopened", "the grant was opened before")
            return
        self._require_basis(fields)
        grant = _Grant(fields["action"], fields["digest"], fields["uses"])
        self._grants[fields["grant"]] = grant

    def _require_basis(self, fields: _Fields) -> None:
        """A grant follows from an approved request, a standing grant, break-glass, or an allowed action."""
        digest = fields["digest"]
        if fields.get("request", ""):
            request = self._request(fields)
            if request is not None and request.decision != "approved":
                self._broken("not_approved", "a grant was opened for a request that was not approved")
            if request is not None and request.digest != digest:
                self._broken("digest_differs", "the grant's digest is not the one that was consented to")
        elif fields.get("standing", ""):
            if fields.get("standing", "") not in self._standing:
                self._absent("standing_unknown", "refers to a standing grant that was not created before")
        elif fields.get("breakglass", ""):
            if self._emergencies.get(fields.get("breakglass", ""), ("", digest))[1] != digest:
                self._broken("digest_differs", "the grant's digest is not the one that glass was broken for")
            elif fields.get("breakglass", "") not in self._emergencies:
                self._absent("breakglass_unknown", "refers to a break-glass that was not used before")
        else:
            self._require_allowed(fields["action"], digest)

    def _require_allowed(self, action: str, digest: str) -> None:
        allowed = self._allowed.get(action)
        if allowed is None:
            self._absent("not_allowed", "the action was neither allowed nor consented to")
        elif allowed != digest:
            self._broken("digest_differs", "the digest is not the one that was allowed")

    def _claimed(self, fields: _Fields) -> None:
        claim, name, digest = fields["claim"], fields.get("grant", ""), fields["digest"]
        if claim in self._claims:
            self._broken("claimed_twice", "the claim's id was used before")
        self._claims[claim] = _Claim(digest, name)
        if not name:
            self._claim_allowed(fields["action"], digest)
            return
        grant = self._grant(fields)
        if grant is None:
            return
        if digest != grant.digest:
            self._broken("digest_differs", "the claim's digest is not the one that was consented to")
        if grant.end:
            self._broken("claim_after_end", f"claimed after the grant was {grant.end}")
        grant.claims += 1
        if grant.claims > grant.uses:
            self._broken("overused", f"claim {grant.claims} of a grant for {grant.uses}")

    def _claim_allowed(self, action: str, digest: str) -> None:
        """A claim without a grant: the action was allowed, and such a right is used once."""
        self._require_allowed(action, digest)
        once = self._right(action, digest)
        if once.end:
            self._broken("claim_after_end", f"claimed after the right was {once.end}")
        once.claims += 1
        if once.claims > 1:
            self._broken("overused", "an allowed action was claimed more than once")

    def _settled(self, fields: _Fields) -> None:
        claim = self._claims.get(fields["claim"])
        if claim is None:
            self._absent("not_claimed", "an outcome without a claim")
            return
        if claim.status not in ("", "unknown"):
            self._broken("settled_twice", f"settled again after it had {claim.status}")
        if fields.get("digest", "") not in ("", claim.digest):
            self._broken("digest_differs", "the outcome is of another digest than the claim")
        claim.status = fields["status"]

    def _grant_ended(self, fields: _Fields) -> None:
        """The end of a grant that was opened, or of the right that an allowed action came with."""
        action = fields.get("action", "")
        if fields["grant"] not in self._grants and action in self._allowed:
            grant: _Grant | None = self._right(action, self._allowed[action])
        else:
            grant = self._grant(fields)
        if grant is not None:
            grant.end = grant.end or fields["type"].removeprefix("grant.")

    def _right(self, action: str, digest: str) -> _Grant:
        """The right to perform an allowed action once, which has no entry of its own."""
        return self._grants.setdefault(f"allowed {action}", _Grant(action, digest, 1))

    def _grant(self, fields: _Fields) -> _Grant | None:
        grant = self._grants.get(fields["grant"])
        if grant is None:
            self._absent("grant_unknown", "refers to a grant that was not opened before")
        return grant

    def _standing_created(self, fields: _Fields) -> None:
        self._standing.add(fields["standing"])

    def _breakglass_used(self, fields: _Fields) -> None:
        self._emergencies[fields["breakglass"]] = (fields["person"], fields["digest"])

    def _breakglass_reviewed(self, fields: _Fields) -> None:
        used = self._emergencies.get(fields["breakglass"])
        if used is None:
            self._absent("breakglass_unknown", "reviews a break-glass that was not used before")
        elif used[0] == fields["person"]:
            self._broken("author_voted", "whoever broke the glass closed the review")
