"""The HTML report. Its script and style stand in the page and are the only ones its content policy allows."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consentry.sanitize.columns import Verdict
from consentry.sanitize.files.tally import FileReport, Seen, merged

if TYPE_CHECKING:
    from jinja2 import Template

_UNITS: Final = ("bytes", "kB", "MB", "GB", "TB")
_FAMILIES: Final = {
    "SECRET": "secret",
    "PERSON": "person",
    "USERNAME": "person",
    "EMAIL_ADDRESS": "contact",
    "PHONE_NUMBER": "contact",
    "URL": "contact",
    "IP_ADDRESS": "contact",
    "MAC_ADDRESS": "contact",
    "STREET_ADDRESS": "place",
    "LOCATION": "place",
    "POSTAL_CODE": "place",
    "ORGANIZATION": "place",
    "CREDIT_CARD": "money",
    "IBAN_CODE": "money",
    "CRYPTO": "money",
    "DATE_TIME": "trait",
    "AGE": "trait",
    "GENDER": "trait",
    "NRP": "trait",
    "TITLE": "trait",
}


@dataclass(frozen=True, slots=True)
class Overview:
    """All that the page shows. `made` is a moment as text, `refused` pairs of path and reason."""

    title: str
    made: str
    profile: str | None
    files: Sequence[FileReport]
    refused: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    place: str
    type: str
    subtype: str
    family: str
    share: float
    seen: Seen


@dataclass(frozen=True, slots=True)
class _Block:
    report: FileReport
    rows: list[_Row]
    verdicts: list[Verdict]
    size: str


def write(overview: Overview, path: Path) -> None:
    """Writes the page to `path`, whole or not at all."""
    from consentry.sanitize.files.atomic import appearing

    page = render(overview).encode()
    with appearing(path) as out:
        out.write(page)


def render(overview: Overview) -> str:
    """The page as HTML. Deterministic: the same overview gives the same bytes."""
    whole = merged(report.tally for report in overview.files)
    counts = whole.by_type()
    most = max(counts.values(), default=1)
    blocks = [_block(report) for report in overview.files]
    style, script = _part("style.css"), _part("filter.js")
    return _template().render(
        overview=overview,
        blocks=sorted(blocks, key=lambda one: -one.report.tally.total),
        types=[(entity, count, _family(entity), 100 * count / most) for entity, count in counts.items()],
        total=whole.total,
        values=whole.values,
        size=_size(sum(report.size for report in overview.files)),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _block(report: FileReport) -> _Block:
    most = max((seen.count for seen in report.tally.seen.values()), default=1)
    rows = [
        _Row(place, entity, subtype, _family(entity), 100 * seen.count / most, seen)
        for (place, entity, subtype), seen in report.tally.seen.items()
    ]
    rows.sort(key=lambda row: (-row.seen.count, row.place, row.type))
    held = [verdict for verdict in report.verdicts if verdict.type is not None or verdict.role is not None]
    return _Block(report, rows, held, _size(report.size))


def _family(entity: str) -> str:
    return _FAMILIES.get(entity, "number")


def _size(size: float) -> str:
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"


def visible(text: str) -> str:
    """Control, bidi and other invisible characters as escapes, so that a name shows what it is."""
    return "".join(
        f"\\u{ord(one):04x}" if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp", "Cs", "Co") else one
        for one in text
    )


def _number(value: int) -> str:
    return f"{value:,}".replace(",", "\u202f")


@cache
def _part(name: str) -> str:
    return (resources.files("consentry.sanitize.report") / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["visible"] = visible
    environment.filters["number"] = _number
    return environment.from_string(_part("page.html"))
