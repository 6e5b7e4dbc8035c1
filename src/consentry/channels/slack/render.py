"""Cards as Slack's blocks. Pure.

Limits: 3,000 characters a text, 50 blocks a message, and about 13,000 characters a message in all. Where a card does
not fit, it is cut, says so, and its approve button is a link (invariant 7).
https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from consentry.channels.card import FOUND, WHAT, WHO, WHY, Card, Part, Row
from consentry.channels.deciding import Offer
from consentry.channels.model import NoteKind, Outgoing, Role
from consentry.channels.slack.text import LIMIT, code, escape, fence, fenced, pieces, plain
from consentry.channels.wording import SUMMED, TITLES, hint, waiting
from consentry.consent.model import BallotVerdict

Block: TypeAlias = "dict[str, object]"

APPROVE, DENY, OPEN = "consentry_approve", "consentry_deny", "consentry_open"
CONFIRM, REASON, WORDS = "consentry_confirm", "consentry_reason", "consentry_words"
EVENT = "consentry_message"
"""The type of the metadata by which a message is found again."""

_MARKS = re.compile(r"[*~`]|(?<!\w)_|_(?!\w)")
BUDGET = 9_000
SHORT = 200
MOST_BLOCKS = 40


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted. `text` is for notifications and screen readers."""

    text: str
    blocks: tuple[Block, ...]


def fits(card: Card) -> bool:
    """Whether all of a card can be shown."""
    return _body(card)[1]


def of(outgoing: Outgoing) -> Message:
    """What is written for a message: one card, or a list of several."""
    if outgoing.role is Role.LISTED:
        return collected(outgoing.listed)
    return message(outgoing.card, outgoing.id, outgoing.role)


def collected(cards: Sequence[Card]) -> Message:
    """Several requests in one message, each with its link. Nothing is decided from it."""
    title = f"Consent asked: {waiting(cards)}"
    lines = [_section(f"{code(card.operation)} on {code(card.resource[:SHORT])}\n{_stands(card)}") for card in cards]
    origin = cards[0].url.removesuffix(f"/requests/{cards[0].request}")
    return Message(
        title,
        (
            _header(title),
            *lines,
            _context(f"<{origin}/|Open the inbox> to look at them and decide"),
        ),
    )


def _stands(card: Card) -> str:
    """Where one request of a list stands, and its link."""
    if card.pending:
        data = f"{escape(_unmarked(card.data))}\n" if card.data else ""
        return f"{data}{_asked(card)} · <{card.url}|Open>"
    names = ", ".join(code(word.name) for word in card.deciders)
    return f"*{TITLES[card.state]}*{f' by {names}' if names else ''} · <{card.url}|Open>"


def message(card: Card, message_id: str, role: Role) -> Message:
    """The message for a card as things stand."""
    title = f"{TITLES[card.state]}: {card.operation}"
    text = f"{title} on {plain(card.resource, 200)}"
    if role is Role.REQUESTER:
        return Message(text, (_section(f"{_yours(card)}\n{_ended(card)}"), _context(f"<{card.url}|Open the request>")))
    if role is Role.GLASS:
        title = f"Glass broken: {card.operation}"
        who = f"{_ended(card, 'acted')}\nNobody consented beforehand. Somebody else looks at it and closes its review."
        blocks = (_header(title), _section(f"{_line(card)}\n{who}"), _context(f"<{card.url}|Open the reviews>"))
        return Message(f"{title} on {plain(card.resource, 200)}", blocks)
    if not card.pending:
        return Message(text, (_header(title), _section(f"{_line(card)}\n{_ended(card)}"), _open(card)))
    body, whole = _body(card)
    why = hint(card, whole)
    return Message(
        text,
        (
            _header(title),
            _section(f"{_line(card)}\n{_asked(card)}"),
            *body,
            *([_context(why)] if why else []),
            _buttons(card, message_id, approve=card.approvable and whole),
        ),
    )


def note(card: Card, kind: NoteKind) -> str:
    """What is said beneath a message."""
    if kind is NoteKind.REMINDED:
        return f"Still waiting: {_asked(card)}"
    if kind is NoteKind.ESCALATED:
        return f"Escalated: more people may decide now. {_asked(card)}"
    return f"It was claimed, and nobody said what became of it: its outcome is unknown. <{card.url}|Look at it>"


def modal(offer: Offer) -> Block:
    """What somebody confirms: the operation again, a reason, and a button that no single key presses."""
    approve = offer.verdict is BallotVerdict.APPROVE
    verb = "Approve" if approve else "Deny"
    body, _ = _body(offer.card)
    return {
        "type": "modal",
        "callback_id": CONFIRM,
        "private_metadata": offer.id,
        "title": _plain(f"{verb} this?"),
        "submit": _plain(verb),
        "close": _plain("Not now"),
        "blocks": [
            _section(f"*You are about to {verb.lower()}* {code(offer.card.operation)}\n{_line(offer.card)}"),
            *body,
            {
                "type": "input",
                "block_id": REASON,
                "optional": True,
                "label": _plain("Why"),
                "hint": _plain("Kept with your vote, and shown to whoever asked."),
                "element": {
                    "type": "plain_text_input",
                    "action_id": WORDS,
                    "multiline": True,
                    "max_length": 3000,
                    "focus_on_load": True,
                },
            },
        ],
    }


def listing(cards: Sequence[Card], origin: str) -> list[Block]:
    """What waits for somebody."""
    if not cards:
        return [_section("Nothing waits for you.")]
    blocks = [_section(f"*{len(cards)} waiting for you*")]
    for card in cards:
        blocks.append(_section(f"{code(card.operation)} on {_line(card)}\n{_asked(card)} · <{card.url}|Open>"))
    return [*blocks, _context(f"<{origin}/|Open the inbox>")]


def _body(card: Card) -> tuple[list[Block], bool]:
    """Every part of a card, and whether all of it is there."""
    blocks: list[Block] = []
    left, whole = BUDGET, True
    for text in _texts(card):
        if len(text) > left or len(blocks) >= MOST_BLOCKS:
            whole = False
            blocks.append(_context(f"There is more than fits here: <{card.url}|open the request> to see all of it."))
            break
        blocks.append(_section(text))
        left -= len(text)
    return blocks, whole


def _texts(card: Card) -> Iterable[str]:
    for part in card.parts:
        rows = tuple(row for row in part.rows if part.title != FOUND or row.label not in SUMMED)
        if rows:
            yield from _part(replace(part, rows=rows))


def _part(part: Part) -> Iterable[str]:
    """Short rows together, long ones in blocks of code of their own."""
    lines = [f"*{part.title}*"]
    for row in part.rows:
        value = re.sub(r"\n\s*", " ", row.value) if part.title == FOUND else row.value
        if len(value) <= SHORT and "\n" not in value:
            lines.append(_row(part, row, value))
            continue
        yield from pieces("\n".join(lines))
        yield from _long(row.label, value)
        lines = []
    if lines:
        yield from pieces("\n".join(lines))


def _row(part: Part, row: Row, value: str) -> str:
    if part.title == WHY:
        return f"• {escape(_unmarked(value))} ({code(row.label)})"
    if part.title in (WHO, WHAT, FOUND):
        return f"{escape(_unmarked(row.label))}: {code(value)}"
    return f"{code(row.label)}: {code(value)}"


def _unmarked(text: str) -> str:
    """A text that is no payload, and still must not be read as markup. A `_` within a word is none."""
    return _MARKS.sub("'", text)


def _long(label: str, value: str) -> Iterable[str]:
    first, *rest = pieces(fenced(value), LIMIT - 400)
    yield f"{code(label)}:\n{fence(first)}"
    yield from (f"(goes on)\n{fence(one)}" for one in rest)


def _line(card: Card) -> str:
    """The resource, and which data."""
    return code(card.resource[:400]) + (f"\n{escape(_unmarked(card.data))}" if card.data else "")


def _asked(card: Card) -> str:
    who = " and ".join(code(one) for one in card.asked)
    stage = f"stage {card.stage + 1} of {card.stages}, " if card.stages > 1 else ""
    joined = f" · {card.joined + 1} identical submissions" if card.joined else ""
    return f"{stage}{card.approvals} of {card.quorum} from {who} · expires {_time(card.expires_at_ms)}{joined}"


def _ended(card: Card, approved: str = "approved") -> str:
    """What became of it, and by whom."""
    lines = []
    for word in card.deciders:
        said = f": {code(word.reason[:400])}" if word.reason else ""
        verb = approved if word.approves else "denied"
        lines.append(f"{code(word.name)} {verb} by {escape(word.channel)}{said}")
    return "\n".join(lines) or TITLES[card.state]


def _yours(card: Card) -> str:
    return f"*{TITLES[card.state]}*: what was asked for you, {code(card.operation)} on {code(card.resource[:400])}"


def _buttons(card: Card, message_id: str, *, approve: bool) -> Block:
    """Nothing is chosen beforehand, and Approve and Deny only ask to confirm."""
    deny: Block = {"type": "button", "action_id": DENY, "text": _plain("Deny"), "value": message_id, "style": "danger"}
    opens: Block = {"type": "button", "action_id": OPEN, "text": _plain("Open"), "url": card.url}
    if approve:
        first: Block = {"type": "button", "action_id": APPROVE, "text": _plain("Approve"), "value": message_id}
        return {"type": "actions", "elements": [{**first, "style": "primary"}, deny, opens]}
    return {"type": "actions", "elements": [{**opens, "text": _plain("Open to approve")}, deny]}


def _open(card: Card) -> Block:
    return _context(f"<{card.url}|Open the request> · {code(card.request)}")


def _time(ms: int) -> str:
    """A time in the reader's zone."""
    seconds = ms // 1000
    return f"<!date^{seconds}^{{date_short_pretty}} {{time}}|{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC>"


def _header(text: str) -> Block:
    return {"type": "header", "text": _plain(text[:150])}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _context(text: str) -> Block:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text, "verbatim": True}]}


def _plain(text: str) -> dict[str, object]:
    return {"type": "plain_text", "text": text, "emoji": False}
