"""The table of entry types: every event that the ledger can hold, and what may stand in each.

This file is the grammar: the codec, the verifier and `docs/ledger.md` follow it. A field is one of a few kinds, and
none of the kinds can hold free text: what a person typed, a resource's name or an outcome stands in an entry as a
salted commitment only. Types and fields are added, never changed or removed: logs outlive versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a field can hold."""

    ID = "id"
    """An id or a name of ours: letters, digits and `_ . : / -`, up to 128. It cannot hold an e-mail address."""
    IDS = "list of ids"
    DIGEST = "digest"
    """SHA-256 in 64 lower-case hex digits."""
    COMMITMENT = "commitment"
    """A salted commitment to a value that is kept where it can be erased."""
    TIME = "time"
    """UTC, to the millisecond: `2026-01-02T03:04:05.678Z`."""
    COUNT = "count"
    """A whole number below 10^15."""
    VKEY = "vkey"
    """A signed-note verifier key."""
    BYTES = "base64url"
    """Up to 4,096 bytes that a key or an authenticator made: a public key, a signature and what was signed."""
    DECISION = "approve | deny"
    STATUS = "succeeded | failed | unknown"
    LEVEL = "L0 | L1 | L2 | L3"
    GAP = "torn | missing | uncertain"


FIELDS: dict[str, Kind] = {
    "action": Kind.ID,
    "agent": Kind.ID,
    "approvers": Kind.IDS,
    "assurance": Kind.COUNT,
    "assurances": Kind.IDS,
    "authenticator": Kind.BYTES,
    "authors": Kind.IDS,
    "breakglass": Kind.ID,
    "by": Kind.ID,
    "cause": Kind.ID,
    "chain": Kind.IDS,
    "channel": Kind.ID,
    "claim": Kind.ID,
    "client": Kind.BYTES,
    "code": Kind.ID,
    "counter": Kind.COUNT,
    "delegate": Kind.ID,
    "delegation": Kind.ID,
    "digest": Kind.DIGEST,
    "door": Kind.ID,
    "expires": Kind.TIME,
    "facts": Kind.DIGEST,
    "field": Kind.ID,
    "first": Kind.COUNT,
    "gap": Kind.GAP,
    "grant": Kind.ID,
    "group": Kind.ID,
    "groups": Kind.IDS,
    "identity": Kind.COMMITMENT,
    "index": Kind.COUNT,
    "instance": Kind.ID,
    "key": Kind.BYTES,
    "last": Kind.COUNT,
    "lease": Kind.TIME,
    "level": Kind.LEVEL,
    "new_key": Kind.VKEY,
    "new_policy": Kind.DIGEST,
    "nonce": Kind.BYTES,
    "old_key": Kind.VKEY,
    "operation": Kind.ID,
    "origin": Kind.ID,
    "owner": Kind.ID,
    "passkey": Kind.ID,
    "pattern": Kind.DIGEST,
    "person": Kind.ID,
    "policies": Kind.IDS,
    "policy": Kind.DIGEST,
    "quorum": Kind.COUNT,
    "reason": Kind.COMMITMENT,
    "release": Kind.DIGEST,
    "request": Kind.ID,
    "resource": Kind.COMMITMENT,
    "reviewers": Kind.IDS,
    "rp": Kind.ID,
    "session": Kind.ID,
    "shown": Kind.DIGEST,
    "signature": Kind.BYTES,
    "stage": Kind.COUNT,
    "stages": Kind.COUNT,
    "standing": Kind.ID,
    "starts": Kind.TIME,
    "status": Kind.STATUS,
    "summary": Kind.COMMITMENT,
    "trigger": Kind.ID,
    "uses": Kind.COUNT,
    "verdict": Kind.DECISION,
    "version": Kind.ID,
}
"""Every field with its kind. A name means the same in each type that has it."""


@dataclass(frozen=True, slots=True)
class EntryType:
    """One row of the table. Fields beside `v`, `type` and `time`, which every entry has."""

    name: str
    meaning: str
    required: frozenset[str]
    optional: frozenset[str]


def _type(name: str, meaning: str, required: str, optional: str = "") -> EntryType:
    return EntryType(name, meaning, frozenset(required.split()), frozenset(optional.split()))


_JUDGED = "action digest operation resource chain policy policies"
_JUDGED_MORE = "session door facts level reason trigger"

_TABLE = (
    _type("ledger.started", "a process began to write to the ledger", "instance new_key", "version policy"),
    _type(
        "ledger.key_rotated",
        "checkpoints that include this entry are signed with another key",
        "old_key new_key",
        "person reason",
    ),
    _type(
        "ledger.gap",
        "records of a journal were lost: torn by a crash, missing between two counters, or not certain to be whole",
        "instance gap",
        "first last",
    ),
    _type("sealed.erased", "the value and salt behind a commitment were erased", "index field", "person reason"),
    _type("action.allowed", "policy allowed an action outright", _JUDGED, _JUDGED_MORE),
    _type("action.denied", "policy, an error or a missing reviewer denied an action", _JUDGED, _JUDGED_MORE + " code"),
    _type(
        "action.journaled",
        "an action of level L0, allowed outright, that was first written to a process's journal",
        _JUDGED + " instance counter",
        _JUDGED_MORE + " status",
    ),
    _type(
        "request.opened",
        "people are asked; `authors` are the persons who may not vote",
        "request " + _JUDGED + " authors quorum expires",
        _JUDGED_MORE + " stages assurance assurances reviewers groups shown",
    ),
    _type(
        "request.joined",
        "a duplicate action joined a request; its authors may not vote either",
        "request action digest authors",
        "chain session",
    ),
    _type(
        "request.vote",
        "one person's word, with what they were shown and how strongly they were signed in; `by` made their link",
        "request person verdict shown assurance",
        "by digest stage channel reason delegation session groups passkey nonce authenticator client signature",
    ),
    _type(
        "request.vote_void",
        "a vote fell away: its person is no longer eligible, or has become an author",
        "request person cause",
        "stage reason",
    ),
    _type(
        "request.approved",
        "enough distinct persons approved the digest",
        "request digest approvers",
        "action stage policy",
    ),
    _type("request.denied", "the request was denied, for good", "request", "digest action person cause reason"),
    _type("request.expired", "time ran out, which denies", "request", "digest action"),
    _type("request.withdrawn", "an author took the request back", "request", "digest action person by reason"),
    _type("request.escalated", "nobody decided in time, and more people were asked", "request", "stage reviewers"),
    _type("request.reminded", "the reviewers were reminded", "request", "stage channel"),
    _type(
        "grant.opened",
        "the right to perform one exact action; follows from a request, a standing grant, break-glass, or policy alone",
        "grant action digest uses",
        "request standing breakglass policy expires by",
    ),
    _type(
        "grant.claimed",
        "the right was used; without `grant`, that of an action which policy allowed",
        "claim action digest",
        "grant by lease level instance",
    ),
    _type("grant.settled", "what really happened", "claim status", "grant action digest summary release by person"),
    _type("grant.revoked", "a person took the grant back", "grant", "action person by reason"),
    _type("grant.expired", "the grant was not used in time", "grant", "action"),
    _type(
        "grant.void", "the grant no longer holds: policy or an approver changed", "grant cause", "action policy person"
    ),
    _type(
        "standing.created",
        "a standing grant, bounded by pattern, count and time",
        "standing operation pattern uses expires",
        "person approvers request resource agent groups reason action digest",
    ),
    _type("standing.revoked", "a standing grant was taken back", "standing", "person by cause reason"),
    _type("standing.exhausted", "a standing grant ran out of uses", "standing"),
    _type(
        "breakglass.used",
        "a person acted without consent in an emergency; the review is open",
        "breakglass person action digest operation resource reason",
        "chain policy expires assurance session",
    ),
    _type("breakglass.reviewed", "somebody else closed the review", "breakglass person", "verdict reason"),
    _type(
        "policy.changed",
        "another set of policies holds",
        "new_policy",
        "policy person request action digest reason by",
    ),
    _type(
        "person.invited",
        "a person was invited, or came by themselves through the provider that `channel` names",
        "person identity",
        "by expires groups channel",
    ),
    _type(
        "person.changed",
        "a person's name or address at the identity provider changed",
        "person",
        "by cause channel identity",
    ),
    _type("person.linked", "an identity was linked to a person", "person identity", "by channel"),
    _type("person.unlinked", "an identity was taken from a person", "person identity", "by channel reason"),
    _type("person.disabled", "a person may no longer sign in, vote or act", "person", "by cause reason"),
    _type("person.enabled", "a disabled person may again", "person", "by cause reason"),
    _type(
        "passkey.registered",
        "a person registered a passkey; `key` is its public key, good at one relying party and origin only",
        "passkey person key rp origin",
        "session by",
    ),
    _type("passkey.removed", "a passkey no longer counts", "passkey person", "by cause reason"),
    _type("group.managed", "the identity provider names a group's members from now on", "group", "by cause"),
    _type("group.released", "the identity provider gave a group up; it has no members", "group", "by cause"),
    _type("group.added", "a person joined a group", "group person", "by cause"),
    _type("group.removed", "a person left a group", "group person", "by cause"),
    _type("agent.created", "an agent was made, with the person who answers for it", "agent owner", "by"),
    _type("agent.rotated", "an agent's token was replaced", "agent", "by cause"),
    _type("agent.revoked", "an agent may no longer act", "agent", "by cause reason"),
    _type("agent.owner_changed", "another person answers for an agent", "agent owner", "by person reason"),
    _type(
        "session.opened",
        "somebody signed in; `by` is who made the link, where somebody else did",
        "session",
        "person agent assurance channel expires chain by identity",
    ),
    _type("session.closed", "a session ended", "session", "person agent by cause"),
    _type(
        "delegation.created",
        "a person lets another vote while away",
        "delegation person delegate expires",
        "starts by groups reason",
    ),
    _type("delegation.ended", "a delegation ended", "delegation", "person delegate by cause"),
    _type(
        "reveal.shown",
        "a raw value was shown to somebody",
        "action by digest",
        "person field index resource request grant claim",
    ),
)

ENTRY_TYPES: dict[str, EntryType] = {row.name: row for row in _TABLE}
"""The table, by name."""
