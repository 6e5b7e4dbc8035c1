"""Characters that stand in for ASCII ones: full-width forms, other scripts' digits, look-alikes, invisible joiners.

Sources: Unicode NFKC; Unicode TR 39 (confusables), the Cyrillic and Greek letters that look like Latin ones.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from itertools import chain

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
)
"""A character class (without brackets) of characters that show nothing."""

_LOOKALIKES = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХавеѕіјкмнорстухԛԝһӏɡɑΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορυχ",
        "ABESIJKMHOPCTYXabesijkmhopctyxqwhlgaABEZHIKMNOPTYXaikvopux",
        strict=True,
    )
)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_ZEROS = (
    *(0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20),
    *(0x1040, 0x17E0, 0x1810),
)
_COMPATIBLE = chain(
    range(0xA0, 0x180), range(0x1D2C, 0x1D6B), range(0x2000, 0x2200), range(0x2460, 0x2500),
    range(0x3000, 0x3001), range(0xFE50, 0xFE70), range(0xFF01, 0xFF5F), range(0x1D400, 0x1D800),
)  # fmt: skip
_STRANGE = re.compile(rb"\?+")
"""Runs of what `encode("ascii", "replace")` puts for characters beyond ASCII: quicker to find than those."""
_HARMLESS = frozenset("àáâãäåæçèéêëìíîïñòóôõöøùúûüýßāćčęěłńőřśšżž‘’“”„…«»•£€©°·")
"""Runs that stand as they are and are common: not worth a look into the tables."""
_LATIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@")
_LATIN_OR_DOT = _LATIN | {"."}


@cache
def _simple() -> dict[int, str]:
    """One character for one, whatever stands around it."""
    table = {ord(dash): "-" for dash in _DASHES}
    for zero in _ZEROS:
        table.update({zero + digit: str(digit) for digit in range(10)})
    for point in _COMPATIBLE:
        folded = unicodedata.normalize("NFKC", chr(point))
        if len(folded) == 1 and folded.isascii():
            table.setdefault(point, folded)
    return table


@cache
def _lookalikes() -> tuple[dict[int, str], re.Pattern[str]]:
    """The table that also replaces look-alike letters, and what a run must be for it to be used."""
    table = {ord(strange): plain for strange, plain in _LOOKALIKES.items()} | _simple()
    return table, re.compile(f"[{''.join(_LOOKALIKES)}{INVISIBLE}]++")


@cache
def invisible() -> re.Pattern[str]:
    """Runs of characters that show nothing."""
    return re.compile(f"[{INVISIBLE}]+")


def fold(text: str) -> tuple[str, bool]:
    """The text with stand-ins replaced, one for one so that offsets stay, and whether it holds invisible characters.

    A run of look-alike letters is replaced only where it touches a Latin letter, a digit or an `@`: words of another
    script stay as they are.
    """
    parts: list[str] = []
    done, hidden = 0, False
    for run in _STRANGE.finditer(text.encode("ascii", "replace")):
        start, end = run.span()
        strange = text[start:end]
        if strange in _HARMLESS or strange.isascii():
            continue
        touches = text[end : end + 1] in _LATIN or text[start - 1 : start] in _LATIN_OR_DOT
        plain, hides = _folded(strange, touches)
        hidden = hidden or hides
        if plain is not None:
            parts += (text[done:start], plain)
            done = end
    return "".join((*parts, text[done:])) if parts else text, hidden


@lru_cache(maxsize=4096)
def _folded(strange: str, touches_latin: bool) -> tuple[str | None, bool]:
    """What stands for a run beyond ASCII (None: itself), and whether it holds invisible characters."""
    lookalikes, alike = _lookalikes()
    plain = strange.translate(lookalikes if touches_latin and alike.fullmatch(strange) else _simple())
    return plain if plain != strange else None, invisible().search(strange) is not None
