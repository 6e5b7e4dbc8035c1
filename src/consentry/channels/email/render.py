"""Cards as e-mails: what is asked, and where to look at it. Pure.

Nothing of the payload is in an e-mail but names that were masked, and nothing in it decides: mail is copied, scanned
and kept by others. Headers are made by `email`, which refuses line breaks in them (header injection).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from markupsafe import Markup, escape

from consentry.channels.card import WHO, WHY, Card
from consentry.channels.model import InvalidAddress, NoteKind, Role
from consentry.consent.states import RequestState

LONGEST = 400
_SUBJECTS = {
    RequestState.PENDING: "Your decision is asked",
    RequestState.APPROVED: "Approved",
    RequestState.DENIED: "Denied",
    RequestState.EXPIRED: "Expired, so denied",
    RequestState.WITHDRAWN: "Withdrawn",
}
_NOTHING = "No link decides anything by itself: you sign in, see all of it, and press a button."
_GLASS = "Glass broken, please review"
_NOTES = {
    NoteKind.REMINDED: "Still waiting for your decision",
    NoteKind.ESCALATED: "Escalated: more people may decide now",
    NoteKind.UNKNOWN: "The outcome of an approved action is unknown",
}


def message(
    card: Card, message_id: str, role: Role, *, sender: str, to: str, kind: NoteKind | None = None
) -> EmailMessage:
    """The e-mail for a card. `message_id` makes its Message-ID, so that a second copy is known as one.

    Raises `InvalidAddress`.
    """
    mail = EmailMessage(policy=SMTP)
    origin = address(sender)
    title = _NOTES[kind] if kind is not None else _GLASS if role is Role.GLASS else _SUBJECTS[card.state]
    mail["Subject"] = _header(f"{title}: {card.operation} on {_short(card.resource)}")
    mail["From"] = origin
    mail["To"] = address(to)
    mail["Message-ID"] = f"<{message_id}@{origin.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    lines = _lines(card, title, role)
    mail.set_content("\n".join([*(f"{label}: {value}" if label else value for label, value in lines), "", _ends(card)]))
    mail.add_alternative(str(_html(card, title, lines)), subtype="html")
    return mail


def collected(cards: Sequence[Card], message_id: str, *, sender: str, to: str) -> EmailMessage:
    """One e-mail that lists several requests, each with its link. Raises `InvalidAddress`."""
    mail = EmailMessage(policy=SMTP)
    origin = address(sender)
    count = f"{len(cards)} requests wait" if len(cards) > 1 else "1 request waits"
    mail["Subject"] = _header(f"{count} for your decision")
    mail["From"] = origin
    mail["To"] = address(to)
    mail["Message-ID"] = f"<{message_id}@{origin.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join([f"{count} for your decision", "", *(_listed(card) for card in cards), "", _NOTHING]))
    rows = Markup("").join(
        Markup(
            '<li><code>{}</code> on <code>{}</code>{}<br>expires {} · <a href="{}">Look at it and decide</a></li>'
        ).format(card.operation, _short(card.resource), f": {card.data}" if card.data else "", _expires(card), card.url)
        for card in cards
    )
    page = Markup(
        '<!doctype html><html lang="en"><body style="font:15px/1.5 sans-serif">'
        '<h1 style="font-size:18px">{} for your decision</h1><ul>{}</ul><p style="color:#666">{}</p></body></html>'
    ).format(count, rows, _NOTHING)
    mail.add_alternative(str(page), subtype="html")
    return mail


def _listed(card: Card) -> str:
    data = f"\n  data: {card.data}" if card.data else ""
    return f"{card.operation} on {_short(card.resource)}{data}\n  expires: {_expires(card)}\n  {card.url}"


def _expires(card: Card) -> str:
    return f"{datetime.fromtimestamp(card.expires_at_ms // 1000, UTC):%Y-%m-%d %H:%M} UTC"


def threaded(mail: EmailMessage, parent: str) -> EmailMessage:
    """The same e-mail as an answer to an earlier one."""
    mail["In-Reply-To"] = parent
    mail["References"] = parent
    return mail


def address(text: str) -> Address:
    """An address with or without a name in front of it. Raises `InvalidAddress`."""
    name, _, rest = text.rpartition("<")
    plain = rest.removesuffix(">").strip() if name or text.startswith("<") else text.strip()
    try:
        return Address(display_name=name.strip().strip('"'), addr_spec=plain)
    except Exception:  # the parser raises several kinds, some of them IndexError
        raise InvalidAddress("this is no e-mail address that mail can be sent to") from None


def _lines(card: Card, title: str, role: Role) -> list[tuple[str, str]]:
    """What is said, row by row. Reasons of voters stay on the page."""
    rows = [("", f"{title}: {card.operation} on {_short(card.resource)}"), ("", "")]
    for part in card.parts:
        if part.title in (WHO, WHY):
            rows += [(row.label, _short(row.value)) for row in part.rows]
    if card.data:
        rows.append(("data", card.data))
    if card.pending:
        rows.append(("asked of", ", ".join(card.asked)))
        rows.append(("expires", f"{datetime.fromtimestamp(card.expires_at_ms // 1000, UTC):%Y-%m-%d %H:%M} UTC"))
    elif role is Role.REQUESTER:
        rows += [("approved by" if word.approves else "denied by", word.name) for word in card.deciders]
    return rows


def _ends(card: Card) -> str:
    verb = "Look at it and decide" if card.pending else "Look at it"
    return f"{verb}: {card.url}\nThis link decides nothing by itself: you sign in, see all of it, and press a button.\n"


def _html(card: Card, title: str, lines: list[tuple[str, str]]) -> Markup:
    rows = Markup("").join(
        Markup('<tr><td style="padding:2px 12px 2px 0;color:#666">{}</td><td>{}</td></tr>').format(label, value)
        for label, value in lines[2:]
    )
    verb, resource = "Look at it and decide" if card.pending else "Look at it", _short(card.resource)
    return Markup(
        '<!doctype html><html lang="en"><body style="font:15px/1.5 sans-serif">'
        "<h1 style=\"font-size:18px\">{title}</h1><p><code>{operation}</code> on <code>{resource}</code></p>"
        '<table>{rows}</table><p><a href="{url}">{verb}</a></p>'
        '<p style="color:#666">This link decides nothing by itself: you sign in, see all of it, and press a button.</p>'
        "</body></html>"
    ).format(
        title=title, operation=card.operation, resource=resource, rows=rows, url=escape(card.url), verb=verb
    )  # fmt: skip


def _header(text: str) -> str:
    """A text for a header. `email` decodes an encoded word (RFC 2047) that it is given, line breaks in it included."""
    return "".join(char if char.isprintable() else " " for char in text).replace("=?", "= ?")


def _short(text: str) -> str:
    """On one line: `visible` has left no line break in a text of the card, and none is taken from here either."""
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else f"{flat[:LONGEST]}…"
