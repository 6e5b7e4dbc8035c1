"""What a rule's annotations oblige to. Read once, when the policy set is loaded; unknown ones are refused.

A typo in an annotation would silently drop an obligation, so every annotation has one grammar here and anything else
stops the load.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from consentry.policy.model import Assurance, Escalation, Level
from consentry.policy.problems import Problem

_DURATION = re.compile(r"([1-9][0-9]{0,6})(s|m|h|d)")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_REVIEWER = re.compile(r"anyone|group:[^\s,:]{1,100}|person:[^\s,:@]{1,100}@[^\s,:@]{1,200}")
_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_MASK = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
BUILT_IN = frozenset({"default-deny", "policy-error", "facts-invalid", "unknown-operation"})
"""Reasons that the engine itself gives; no policy may take their names."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation that a policy may carry: how it is written and what it means, for the reader of the docs."""

    name: str
    example: str
    meaning: str
    needs_review: bool = False
    on_forbid: bool = False


ANNOTATIONS: Mapping[str, Annotation] = MappingProxyType(
    {
        one.name: one
        for one in (
            Annotation("id", "pii-export-needs-steward", "the rule's name, unique; compulsory", on_forbid=True),
            Annotation("reason", "Exports are signed off", "the text that people read", on_forbid=True),
            Annotation("review", "group:data-stewards", "reviewer sets, comma separated; all must be satisfied"),
            Annotation("quorum", "2", "distinct persons that each set needs; default 1", True),
            Annotation("stage", "2", "which step of the review, lowest first; default 1", True),
            Annotation("assurance", "session", "least sign-in of a voter: chat, session or passkey", True),
            Annotation("expires", "30m", "how long a request waits before it is denied; default 1h", True),
            Annotation("remind", "10m", "when reviewers are told again", True),
            Annotation("escalate", "20m group:admins", "who may decide as well, after how long", True),
            Annotation("break_glass", "group:oncall", "who may go ahead without waiting; reviewed afterwards", True),
            Annotation("grant_expires", "15m", "how long a grant may stay unclaimed; default 15m"),
            Annotation("mask", "EMAIL_ADDRESS,US_SSN", "entity types masked on the way out"),
            Annotation("level", "L1", "how durable the record is before the effect: L0, L1 or L2"),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One policy as the gate sees it: its effect, its text for people, and what it obliges to.

    `reviewers` is empty for a rule that does not ask for a review. What the author left out is `None`.
    """

    id: str
    file: str
    permits: bool
    reason: str
    line: int = 1
    reviewers: tuple[str, ...] = ()
    quorum: int = 1
    stage: int = 1
    assurance: Assurance = Assurance.SESSION
    expires_ms: int | None = None
    grant_ms: int | None = None
    remind_ms: int | None = None
    escalation: Escalation | None = None
    masks: tuple[str, ...] = ()
    level: Level | None = None
    break_glass: tuple[str, ...] | None = None

    @property
    def asks(self) -> bool:
        return bool(self.reviewers)


class Malformed(Exception):
    """An annotation's value is not of its grammar. Never leaves this package: it becomes a `Problem`."""


def read(
    annotations: Mapping[str, str | None], *, permits: bool, file: str, line: int
) -> tuple[Rule | None, list[Problem]]:
    """The rule that these annotations describe, or everything that is wrong with them."""
    values = {name: value or "" for name, value in annotations.items()}
    name = values.get("id", "")
    problems = _names(values, name, file, line)
    for key in values.keys() & ANNOTATIONS.keys():
        spec = ANNOTATIONS[key]
        if not permits and not spec.on_forbid:
            text = f"`@{key}` has no meaning on a forbid: take it away"
            problems.append(Problem("annotation-misplaced", text, file, name, line))
        elif spec.needs_review and "review" not in values:
            text = f"`@{key}` has no meaning without `@review`: add who reviews, or take it away"
            problems.append(Problem("annotation-misplaced", text, file, name, line))
    parsed: dict[str, object] = {}
    for key, (field, parse) in _PARSERS.items():
        if key not in values:
            continue
        try:
            parsed[field] = parse(values[key])
        except Malformed as error:
            problems.append(Problem("annotation-malformed", f"`@{key}` {error}", file, name, line))
    if problems:
        return None, problems
    parsed.setdefault("reason", f"permitted by `{name}`" if permits else f"forbidden by `{name}`")
    return Rule(id=name, file=file, permits=permits, line=line, **parsed), []  # type: ignore[arg-type]


def _names(values: Mapping[str, str], name: str, file: str, line: int) -> list[Problem]:
    problems = []
    if not name:
        text = 'a policy has no `@id`: give it one, such as `@id("exports-need-a-steward")`'
        problems.append(Problem("policy-id-missing", text, file, None, line))
    elif not _ID.fullmatch(name) or name in BUILT_IN:
        text = "`@id` must be lower case letters, digits, `.`, `_` or `-`, and not the name of a built-in reason"
        problems.append(Problem("policy-id-malformed", text, file, name, line))
    for key in sorted(values.keys() - ANNOTATIONS.keys()):
        text = f"`@{key}` is not an annotation that Consentry knows: use one of {', '.join(ANNOTATIONS)}"
        problems.append(Problem("annotation-unknown", text, file, name or None, line))
    return problems


def duration(value: str) -> int:
    """Milliseconds of `30m` and the like. Raises `Malformed`."""
    match = _DURATION.fullmatch(value)
    if not match:
        raise Malformed("must be a number and one of s, m, h, d, such as `30m`")
    return int(match[1]) * _UNIT_MS[match[2]]


def _sets(value: str) -> tuple[str, ...]:
    sets = tuple(part.strip() for part in value.split(","))
    if not all(_REVIEWER.fullmatch(one) for one in sets):
        raise Malformed("must name `group:NAME`, `person:EMAIL` or `anyone`, several separated by commas")
    if len(set(sets)) != len(sets):
        raise Malformed("names the same set twice: raise `@quorum` instead")
    return sets


def _count(value: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]?", value):
        raise Malformed("must be a whole number from 1 to 99")
    return int(value)


def _assurance(value: str) -> Assurance:
    if value not in set(Assurance):
        raise Malformed("must be `chat`, `session` or `passkey`")
    return Assurance(value)


def _level(value: str) -> Level:
    if value not in {Level.L0, Level.L1, Level.L2}:
        raise Malformed("must be `L0`, `L1` or `L2`")
    return Level(value)


def _escalation(value: str) -> Escalation:
    after, _, to = value.partition(" ")
    if not _REVIEWER.fullmatch(to.strip()):
        raise Malformed("must be a time and a reviewer set, such as `20m group:admins`")
    return Escalation(duration(after), to.strip())


def _masks(value: str) -> tuple[str, ...]:
    masks = tuple(part.strip() for part in value.split(","))
    if not all(_MASK.fullmatch(one) for one in masks):
        raise Malformed("must name entity types such as `EMAIL_ADDRESS`, several separated by commas")
    return masks


def _text(value: str) -> str:
    if not value.strip() or len(value) > 500:
        raise Malformed("must have 1 to 500 characters")
    return value


_PARSERS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "reason": ("reason", _text),
    "review": ("reviewers", _sets),
    "quorum": ("quorum", _count),
    "stage": ("stage", _count),
    "assurance": ("assurance", _assurance),
    "expires": ("expires_ms", duration),
    "grant_expires": ("grant_ms", duration),
    "remind": ("remind_ms", duration),
    "escalate": ("escalation", _escalation),
    "mask": ("masks", _masks),
    "level": ("level", _level),
    "break_glass": ("break_glass", _sets),
}
