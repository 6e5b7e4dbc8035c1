"""What every channel shows of a request, whatever it looks like there. Pure.

A card is made from the stored preview, whose digest a vote names, with personal data and secrets masked (invariant
10). Where anything had to be masked, a card is not the whole, and whoever wants to approve looks at the web page
(invariant 7).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from consentry.actions import Action
from consentry.consent.model import BallotVerdict, PostReview, Request
from consentry.consent.preview import Preview, Section, visible
from consentry.consent.states import RequestState
from consentry.policy.model import Assurance, Roster

WHO, WHAT, PINNED, FOUND = "Who", "What", "Pinned by hash", "What we found in it"
WHY, SAYS = "Why you are asked", "What the caller says (not checked)"
LONGEST = 16_384
"""So many characters of one value are masked and kept; what is longer is shown on the web page."""

_ADDRESS = re.compile(r" <([^<>@\s])[^<>@]*@([^<>@]+)>$")


@dataclass(frozen=True, slots=True)
class Row:
    """A label and a value that is safe to show, escaped for the medium. `whole` says that nothing was masked or cut."""

    label: str
    value: str
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """A titled list of rows. `payload` marks what the caller wrote."""

    title: str
    rows: tuple[Row, ...]
    payload: bool = False


@dataclass(frozen=True, slots=True)
class Word:
    """One person's vote, as others see it."""

    name: str
    approves: bool
    channel: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Card:
    """One request at one moment. Times in milliseconds since the epoch."""

    request: str
    url: str
    operation: str
    resource: str
    state: RequestState
    parts: tuple[Part, ...]
    data: str | None
    asked: tuple[str, ...]
    quorum: int
    approvals: int
    stage: int
    stages: int
    words: tuple[Word, ...]
    assurance: Assurance
    digest: str
    joined: int
    expires_at_ms: int

    @property
    def pending(self) -> bool:
        return self.state is RequestState.PENDING

    @property
    def whole(self) -> bool:
        """Whether everything that a vote is about stands on the card as it is."""
        return all(row.whole for part in self.parts for row in part.rows)

    @property
    def approvable(self) -> bool:
        """Whether a linked chat user may approve from the card, where the channel shows all of it."""
        return self.pending and self.whole and self.assurance is Assurance.CHAT

    @property
    def deciders(self) -> tuple[Word, ...]:
        """Those who decided it: whoever denied, or everybody who approved."""
        denying = tuple(word for word in self.words if not word.approves)
        return denying if self.state is RequestState.DENIED else self.words


def build(request: Request, preview: Preview, roster: Roster, mask: Callable[[str], str], origin: str) -> Card:
    """The card of a request. `mask` may raise: what cannot be masked is not shown."""
    hide = _Hiding(mask)
    stage = request.obligations.stages[request.stage]
    facts = dict(next((section.rows for section in preview.sections if section.title == FOUND), ()))
    return Card(
        request=request.id,
        url=f"{origin}/requests/{request.id}",
        operation=request.action.operation,
        resource=hide.row("resource", visible(request.action.resource)).value,
        state=request.state,
        parts=tuple(_part(section, hide) for section in preview.sections),
        data=_data(facts),
        asked=tuple(hide.row("", _asked(one, roster)).value for one in stage.reviewers),
        quorum=stage.quorum,
        approvals=sum(v.stage == request.stage and v.verdict is BallotVerdict.APPROVE for v in request.votes),
        stage=request.stage,
        stages=len(request.obligations.stages),
        words=tuple(_words(request, roster, hide)),
        assurance=stage.assurance,
        digest=request.action.digest,
        joined=len(request.action_ids) - 1,
        expires_at_ms=request.expires_at_ms,
    )


def build_glass(review: PostReview, action: Action, roster: Roster, mask: Callable[[str], str], origin: str) -> Card:
    """The card of an action that somebody took without consent: who, what, why; no arguments."""
    hide = _Hiding(mask)
    person = roster.persons.get(roster.canonical(review.person))
    name = review.person if person is None else visible(person.name)
    return Card(
        request=review.id,
        url=f"{origin}/reviews",
        operation=action.operation,
        resource=hide.row("resource", visible(action.resource)).value,
        state=RequestState.APPROVED,
        parts=(Part(WHO, (Row("person", name),)),),
        data=None,
        asked=(),
        quorum=0,
        approvals=0,
        stage=0,
        stages=1,
        words=(Word(name, True, "breaking glass", hide.row("", visible(review.reason)).value),),
        assurance=Assurance.PASSKEY,
        digest=action.digest,
        joined=0,
        expires_at_ms=0,
    )


class _Hiding:
    """Masks values, each once."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        self._mask = mask

    def row(self, label: str, value: str) -> Row:
        if len(value) > LONGEST:
            return Row(label, f"({len(value)} characters: open the request to see them)", whole=False)
        try:
            masked = self._mask(value)
        except Exception:  # INVARIANT: what nobody could look at is shown to nobody (invariant 9)
            return Row(label, "(could not be looked at for personal data: open the request to see it)", whole=False)
        return Row(label, masked, whole=masked == value)


def _part(section: Section, hide: _Hiding) -> Part:
    """The rows of a section. Names of people stay, their addresses shortened; policy's words and hashes too."""
    if section.title == WHO:
        rows = [Row(label, _ADDRESS.sub(r" (\1…@\2)", value)) for label, value in section.rows]
    elif section.title == WHY:
        rows = [Row(label, value) for label, value in section.rows]
    elif section.title == PINNED:
        names = [hide.row("", name) for name, _ in section.rows]
        rows = [Row(one.value, sha256, one.whole) for one, (_, sha256) in zip(names, section.rows, strict=True)]
    else:
        rows = [Row(name, value) if name == "digest" else hide.row(name, value) for name, value in section.rows]
    return Part(section.title, tuple(rows), payload=section.title == SAYS)


def _asked(reviewers: str, roster: Roster) -> str:
    kind, _, name = reviewers.partition(":")
    if kind == "group":
        return name
    person = roster.by_email(name) if kind == "person" else None
    return "anyone who is active" if kind == "anyone" else visible(person.name) if person else "one person"


def _words(request: Request, roster: Roster, hide: _Hiding) -> Iterable[Word]:
    for vote in request.votes:
        person = roster.persons.get(roster.canonical(vote.person))
        name = visible(person.name) if person is not None else vote.person
        reason = None if not vote.reason else hide.row("", visible(vote.reason)).value
        yield Word(name, vote.verdict is BallotVerdict.APPROVE, vote.channel, reason)


def _data(facts: dict[str, str]) -> str | None:
    """Which data it touches, in one line of counts; never a value."""
    said: list[str] = []
    findings = _json(facts.get("findings", ""))
    if isinstance(findings, dict):
        total, types = findings.get("total"), findings.get("types")
        if isinstance(total, int) and (total or findings.get("scanned")):
            named = ", ".join(str(one) for one in types) if isinstance(types, list) and types else "none found"
            said.append(f"{total:,} sensitive values ({named})" if total else "no sensitive values found")
    for name in ("rows", "files", "destroys", "secrets"):
        count = _json(facts.get(name, ""))
        if isinstance(count, int) and not isinstance(count, bool):
            said.append(f"{count:,} {name}")
    said += [text for name, text in (("external", "leaves the boundary"), ("public", "becomes public"),
                                     ("destructive", "cannot be undone")) if facts.get(name) == "true"]  # fmt: skip
    return " · ".join(said) or None


def _json(text: str) -> object:
    try:
        value: object = json.loads(text)
    except ValueError:
        return None
    return value
