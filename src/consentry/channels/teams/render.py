"""Cards as Adaptive Cards 1.5. Pure.

Teams takes 28 KB a message, counted in UTF-16. Where a card does not fit, it is cut, says so, and its approve button
gives way to a link (invariant 7). Nothing of version 1.6 is used: Teams does not show it.
https://adaptivecards.io/explorer/ and https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import cast

import orjson

from consentry.channels.card import FOUND, WHY, Card, Part, Row
from consentry.channels.deciding import Offer
from consentry.channels.model import NoteKind, Role
from consentry.channels.teams.text import Element, block, code, line, moment, run
from consentry.channels.wording import SUMMED, TITLES, hint, waiting
from consentry.consent.model import BallotVerdict

APPROVE, DENY, CONFIRM, LOOK = "consentry_approve", "consentry_deny", "consentry_confirm", "consentry_look"
"""Verbs of a card's actions."""
MESSAGE, OFFER, REASON = "consentry_message", "consentry_offer", "consentry_reason"
"""What an action carries, and the name of the field."""

LIMIT = 28 << 10
"""The bytes of one message in UTF-16."""
LIST_LIMIT = LIMIT - 1_024
"""What a list may take: the activity around it takes the rest."""
BUDGET = 8_300
"""The characters of a card's parts, as JSON: what the rest needs at most is less than what is left."""
SHORT, LEAST = 200, 40
LONGEST = 300
MOST_VOTES = 8
MOST_USERS = 30
"""So many people get news of a card by themselves; Teams takes 60. Others get them when they press a button."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted. `summary` is for notifications."""

    summary: str
    card: Element


def fits(card: Card) -> bool:
    """Whether all of a card can be shown."""
    return _body(card)[1]


def message(card: Card, message_id: str, role: Role, users: Sequence[str] = ()) -> Message:
    """The message for a card as things stand. `users` may decide: for them it looks for news by itself."""
    if role is Role.GLASS:
        return _glass(card, message_id)
    title = TITLES[card.state]
    summary = f"{title}: {card.operation} on {card.resource}"[:SHORT]
    if role is Role.REQUESTER:
        yours = line(run("What was asked for you: "), code(card.operation), run(" on "), code(_cut(card.resource)))
        body = [_title(title, message_id), yours, *_ended(card)]
        return Message(summary, _card(title, card, body, [_open("Open the request", card)]))
    found = review(card, message_id, buttons=True)
    if card.pending and users:
        found["refresh"] = {
            "action": _execute("Look again", LOOK, {MESSAGE: message_id}),
            "userIds": [f"8:orgid:{user}" for user in users[:MOST_USERS]],
        }
    return Message(summary, found)


def review(card: Card, message_id: str, *, buttons: bool, said: str | None = None) -> Element:
    """The card that asks, or says what was decided. `said` is for the one who looks."""
    title = TITLES[card.state]
    top = [_title(title, message_id), *_what(card)]
    told = [line(run(said, bold=True), close=False)] if said else []
    if not card.pending:
        return _card(title, card, [*top, *_ended(card), *told], [_open("Open the request", card)])
    parts, whole = _body(card)
    why = hint(card, whole)
    hints = [line(run(why, subtle=True), close=False)] if why else []
    actions = _buttons(card, message_id, approve=card.approvable and whole) if buttons else [_open("Open", card)]
    return _card(title, card, [*top, _asked(card), *parts, *hints, *told], actions)


def confirm(offer: Offer, message_id: str) -> Element:
    """What somebody confirms: all of it again, a reason, and a button that no single key presses."""
    verb = "Approve" if offer.verdict is BallotVerdict.APPROVE else "Deny"
    parts, _ = _body(offer.card)
    field: Element = {
        "type": "Input.Text",
        "id": REASON,
        "label": "Why (kept with your vote, and shown to whoever asked)",
        "isMultiline": True,
        "maxLength": 3000,
    }
    style = "positive" if offer.verdict is BallotVerdict.APPROVE else "destructive"
    data = {OFFER: offer.id, MESSAGE: message_id}
    actions = [
        {**_execute(verb, CONFIRM, data), "style": style, "fallback": "drop"},
        {**_execute("Not now", LOOK, {MESSAGE: message_id}), "associatedInputs": "none", "fallback": "drop"},
    ]
    title = f"{verb} this?"
    body = [_title(title, message_id), *_what(offer.card), _asked(offer.card), *parts, field]
    return _card(title, offer.card, body, actions)


def note(card: Card, kind: NoteKind, note_id: str) -> Message:
    """What is said beneath a message."""
    title = {
        NoteKind.REMINDED: "Still waiting",
        NoteKind.ESCALATED: "Escalated: more people may decide now",
        NoteKind.UNKNOWN: "It was claimed, and nobody said what became of it: its outcome is unknown",
    }[kind]
    body = [line(run(title, bold=True), id=note_id)]
    if kind is not NoteKind.UNKNOWN:
        body.append(_asked(card))
    return Message(f"{title}: {card.operation}", _card(title, card, body, [_open("Open the request", card)]))


def listing(cards: Sequence[Card], origin: str) -> Message:
    """What waits for somebody."""
    title = f"{len(cards)} waiting for you" if cards else "Nothing waits for you"
    body = [_title(title, "consentry_listing")]
    for card in cards:
        body += [line(code(card.operation), run(" on "), code(card.resource[:SHORT]), close=False), _asked(card)]
        link: Element = {"type": "Action.OpenUrl", "title": "Open", "url": card.url}
        body.append({"type": "ActionSet", "actions": [link]})
    return Message(
        title, _outer(title, body, [{"type": "Action.OpenUrl", "title": "Open the inbox", "url": f"{origin}/"}])
    )


def collected(cards: Sequence[Card], message_id: str) -> Message:
    """Several requests in one message, each with its link. Nothing is decided from it.

    All of them are there, however long they are: where they do not fit, less is said of each.
    """
    title, origin = f"Consent asked: {waiting(cards)}", cards[0].url.removesuffix(f"/requests/{cards[0].request}")
    inbox: Element = {"type": "Action.OpenUrl", "title": "Open the inbox", "url": f"{origin}/"}

    def shown(told: Callable[[Card], Iterable[Element]]) -> Element:
        body = [_title(title, message_id), *(element for card in cards for element in told(card))]
        return _outer(f"{title}. Open the inbox at {origin}/", body, [inbox])

    found = next((one for one in map(shown, (_told, _told_in_short)) if size(one) <= LIST_LIMIT), None)
    return Message(title, found or shown(_named))


def _told(card: Card) -> Iterator[Element]:
    """One request of a list: what, where it stands, and its link."""
    yield line(code(card.operation), run(" on "), code(card.resource[:SHORT]), close=False)
    if not card.pending:
        names = ", ".join(word.name for word in card.deciders)
        yield line(
            run(TITLES[card.state], bold=True), *([run(" by "), code(_cut(names))] if names else []), _link(card)
        )
        return
    if card.data:
        yield line(run(_cut(card.data)))
    asked = _asked(card)
    yield {**asked, "inlines": [*cast("list[Element]", asked["inlines"]), _link(card)]}


def _told_in_short(card: Card) -> Iterator[Element]:
    yield line(*_words(card), _link(card))


def _named(card: Card) -> Iterator[Element]:
    yield line(*_words(card))


def _words(card: Card) -> tuple[Element, ...]:
    name = code(f"{card.operation[:LEAST]} on {card.resource[:LEAST]}")
    return (name,) if card.pending else (name, run(f": {TITLES[card.state]}"))


def _link(card: Card) -> Element:
    return {**run(" Open"), "selectAction": _open("Open", card)}


def size(value: object) -> int:
    """What Teams counts: the bytes in UTF-16, or in UTF-8 where those are more."""
    data = orjson.dumps(value)
    return max(len(data), 2 * _units(data.decode()))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _glass(card: Card, message_id: str) -> Message:
    title = "Glass broken"
    body = [
        _title(title, message_id),
        *_what(card),
        *_ended(card, "acted"),
        line(run("Nobody consented beforehand. Somebody else looks at it and closes its review.")),
    ]
    return Message(f"{title}: {card.operation}", _card(title, card, body, [_open("Open the reviews", card)]))


def _card(title: str, card: Card, body: Sequence[Element], actions: Sequence[Element]) -> Element:
    return _outer(f"{title}. Open it at {card.url}", body, actions)


def _outer(fallback: str, body: Sequence[Element], actions: Sequence[Element]) -> Element:
    """`fallback` is read as Markdown by clients that are too old: nothing of the payload is in it."""
    return {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.5",
        "fallbackText": fallback,
        "msteams": {"width": "Full"},
        "body": list(body),
        "actions": list(actions),
    }


def _body(card: Card) -> tuple[list[Element], bool]:
    """Every part of a card, and whether all of it is there."""
    elements: list[Element] = []
    left = BUDGET
    for element in _parts(card):
        left -= _units(orjson.dumps(element).decode()) + 1
        if left < 0:
            elements.append(line(run("There is more than fits here: open the request to see all of it."), close=False))
            return elements, False
        elements.append(element)
    return elements, True


def _parts(card: Card) -> Iterator[Element]:
    for part in card.parts:
        rows = tuple(row for row in part.rows if part.title != FOUND or row.label not in SUMMED)
        if rows:
            yield line(run(part.title, bold=True), close=False)
            yield from _rows(replace(part, rows=rows))


def _rows(part: Part) -> Iterable[Element]:
    """Short rows on a line, long ones below their label."""
    for row in part.rows:
        value = re.sub(r"\n\s*", " ", row.value) if part.title == FOUND else row.value
        if part.title == WHY:
            yield line(run("• "), run(value), run(" ("), code(row.label), run(")"))
        elif len(value) <= SHORT and "\n" not in value:
            yield line(_label(row), run(": "), code(value))
        else:
            yield line(_label(row), run(":"))
            yield from block(value)


def _label(row: Row) -> Element:
    return {**code(row.label), "isSubtle": True}


def _title(text: str, element_id: str) -> Element:
    """Words of ours only: this is the one place where Markdown is read. Its id is how a message is found again."""
    return {"type": "TextBlock", "id": element_id, "text": text, "style": "heading", "wrap": True,
            "size": "large", "weight": "bolder"}  # fmt: skip


def _what(card: Card) -> Iterator[Element]:
    """The operation, the resource, and which data."""
    yield line(code(card.operation), run(" on "), code(_cut(card.resource)))
    if card.data:
        yield line(run(_cut(card.data)))


def _asked(card: Card) -> Element:
    stage = f"stage {card.stage + 1} of {card.stages}, " if card.stages > 1 else ""
    joined = f" · {card.joined + 1} identical submissions" if card.joined else ""
    who = _cut(" and ".join(card.asked))
    runs = [
        run(f"{stage}{card.approvals} of {card.quorum} from "),
        code(who),
        run(" · expires "),
        moment(card.expires_at_ms),
    ]
    return line(*runs, *([run(joined)] if joined else []))


def _ended(card: Card, approved: str = "approved") -> Iterator[Element]:
    """What became of it, and by whom."""
    for word in card.deciders[:MOST_VOTES]:
        verb = approved if word.approves else "denied"
        said = [run(": "), code(_cut(word.reason))] if word.reason else []
        yield line(code(word.name[:SHORT]), run(f" {verb} by {word.channel}"), *said)
    if not card.deciders:
        yield line(run(TITLES[card.state]))


def _buttons(card: Card, message_id: str, *, approve: bool) -> list[Element]:
    """Nothing is chosen beforehand, and Approve and Deny only ask to confirm. Old clients get links."""
    data = {MESSAGE: message_id}
    deny = {**_execute("Deny", DENY, data), "style": "destructive", "fallback": "drop"}
    if not approve:
        return [_open("Open to approve", card), deny]
    link = _open("Open to approve", card)
    return [{**_execute("Approve", APPROVE, data), "style": "positive", "fallback": link}, deny, _open("Open", card)]


def _execute(title: str, verb: str, data: dict[str, str]) -> Element:
    return {"type": "Action.Execute", "title": title, "verb": verb, "data": data}


def _open(title: str, card: Card) -> Element:
    return {"type": "Action.OpenUrl", "title": title, "url": card.url}


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
