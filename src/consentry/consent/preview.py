"""What people are shown of an action, rendered from the stored action and nothing else (invariant 7). Pure.

The preview is made once, when the request is opened, and stored with it: whoever looks sees the same, and the digest
of what was shown is part of the vote.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from typing import Self

from consentry.actions import Action, Json, JsonObject, Kind, canonical, parse_object
from consentry.policy.model import Facts, Judgement, Roster

DOMAIN = b"consentry shown v1\n"

_HIDDEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_BLANK = frozenset(
    "\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5\u180b\u180c\u180d\u180f\U00016fe4\U0001d159"
) | frozenset(map(chr, range(0xFE00, 0xFE10)))
"""Letters and marks that show as nothing: Hangul and Khitan fillers, the empty Braille cell, the empty note head,
joiners, variation selectors, those of Mongolian too."""

_INDENTED = 1 << 16
_WIDEST = 4
"""JSON of more than so many characters is indented only while that makes it at most so many times as long."""


@dataclass(frozen=True, slots=True)
class Section:
    """A titled list of (label, value) rows. Values are safe to show as they are, escaped for the medium."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole of what is shown. `digest` is what a vote must name."""

    sections: tuple[Section, ...]
    digest: str

    @property
    def text(self) -> str:
        """The preview as plain text, for terminals and channels."""
        lines: list[str] = []
        for section in self.sections:
            lines.append(section.title)
            for label, value in section.rows:
                first, *rest = value.split("\n")
                lines.append(f"  {label}: {first}")
                lines.extend(f"    {line}" for line in rest)
        return "\n".join(lines)

    def encode(self) -> str:
        """The stored form; `digest` is over exactly these bytes."""
        return _encode(self.sections)

    @classmethod
    def decode(cls, text: str) -> Self:
        """Read the stored form back; the digest is taken again, not believed."""
        value = parse_object(text, what="stored preview")["sections"]
        assert isinstance(value, list)
        sections = tuple(
            Section(str(item["title"]), tuple((str(row[0]), str(row[1])) for row in item["rows"])) for item in value
        )
        return cls(sections, _digest(sections))


def render(action: Action, facts: Facts, judgement: Judgement, roster: Roster, caller_reason: str | None) -> Preview:
    """Render what people decide on: who through whom, what exactly, which data, why policy asks."""
    sections = [
        Section("Who", _chain(action, roster)),
        Section("What", _what(action)),
    ]
    if action.operands:
        sections.append(Section("Pinned by hash", tuple((visible(o.name), o.sha256) for o in action.operands)))
    if facts.values:
        sections.append(Section("What we found in it", _facts(facts.values)))
    sections.append(
        Section("Why you are asked", tuple((visible(r.policy), visible(r.text)) for r in judgement.reasons))
    )
    if action.context or caller_reason:
        rows = [("context", _json(action.context))] if action.context else []
        if caller_reason:
            rows.append(("reason", visible(caller_reason)))
        sections.append(Section("What the caller says (not checked)", tuple(rows)))
    fixed = tuple(sections)
    return Preview(fixed, _digest(fixed))


def visible(text: str) -> str:
    """`text` with every control, bidi, invisible or unassigned character as an escape (threat D6).

    Injective: a backslash that was there is doubled, so no text can imitate an escape.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(_escape(char) if _is_hidden(char) else ("\\\\" if char == "\\" else char) for char in text)


def _is_hidden(char: str) -> bool:
    if char == " ":
        return False
    category = unicodedata.category(char)
    return category in _HIDDEN or category == "Zs" or char in _BLANK or "\U000e0100" <= char <= "\U000e01ef"


def _escape(char: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char)
    return short or f"\\u{{{ord(char):04x}}}"


def _json(value: Json | JsonObject) -> str:
    """Indented JSON of the exact value. Line breaks are structure only: those inside strings are escaped by JSON.

    Deep lists of many small things would grow a hundredfold by their indents, so they stand on one line.
    """
    exact = canonical(value)
    plain = json.loads(exact)
    text = json.dumps(plain, ensure_ascii=False, indent=2, sort_keys=True)
    if len(text) > max(_INDENTED, _WIDEST * len(exact)):
        text = json.dumps(plain, ensure_ascii=False, sort_keys=True)
    return "\n".join(line if line.isascii() and line.isprintable() else _unhidden(line) for line in text.split("\n"))


def _unhidden(line: str) -> str:
    return "".join(f"\\u{{{ord(char):04x}}}" if _is_hidden(char) else char for char in line)


def _chain(action: Action, roster: Roster) -> tuple[tuple[str, str], ...]:
    rows = []
    for position, link in enumerate(action.actor.links()):
        rows.append((link.kind.value if position == 0 else f"for {link.kind.value}", _name(link.kind, link.id, roster)))
        owner = None if link.kind is Kind.PERSON else roster.owner_of(link.id)
        if owner is not None:
            rows.append(("owned by", _name(Kind.PERSON, owner, roster)))
    return tuple(rows)


def _name(kind: Kind, identifier: str, roster: Roster) -> str:
    if kind is Kind.PERSON:
        person = roster.persons.get(roster.canonical(identifier))
        return visible(identifier) if person is None else f"{visible(person.name)} <{visible(person.email)}>"
    agent = roster.agents.get(identifier)
    return visible(identifier) if agent is None else f"{visible(agent.name)} ({visible(identifier)})"


def _what(action: Action) -> tuple[tuple[str, str], ...]:
    return (
        ("operation", visible(action.operation)),
        ("resource", visible(action.resource)),
        ("arguments", _json(action.arguments)),
        ("digest", action.digest),
    )


def _facts(values: JsonObject) -> tuple[tuple[str, str], ...]:
    return tuple((visible(name), _json(value)) for name, value in sorted(values.items()))


def _encode(sections: tuple[Section, ...]) -> str:
    document: Json = {
        "sections": [{"title": s.title, "rows": [[label, value] for label, value in s.rows]} for s in sections]
    }
    return canonical(document).decode("utf-8")


def _digest(sections: tuple[Section, ...]) -> str:
    return hashlib.sha256(DOMAIN + _encode(sections).encode("utf-8")).hexdigest()
