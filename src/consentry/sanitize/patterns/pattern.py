"""The row of every pattern table.

How a pattern is matched. `regex` says exactly what matches, as `re.finditer` with `re.ASCII` would find it. The vector
pass runs `trigger` instead, and `regex` is tried only near a trigger. Both ways find the same matches as long as

    INVARIANT: every match of `regex` (that `check` and `after` let stand) at `start` holds a match of `trigger` that
    ends within `start … start + reach`; the match, with what it looks ahead to, ends within `ahead` of its start;

    and, unless `digitless`, the trigger's match lies within 32 characters of digits,
    and, where `dense`, it holds six digits within 24 characters,

`begin`, where given, is a cheap expression for the place where every match begins; only such places are tried.

`back`, where given, says that every match begins exactly so many characters before the end of a trigger, or, with
`lead`, where that says that something begins which leads there. Else, with
`begins` or where the trigger starts with `\\b` or `(?:^|[^…])`, it begins where a match of the trigger begins (the
leftmost of those that end in one place), or one character after that where it starts with `(?:^|[^…])` and not at the
beginning of the text. Only such places are tried, once each.
The invariant holds by itself where no trigger is given and both are more than the longest match. A trigger should end
once per candidate (a literal, a fixed number of digits, a boundary): each end costs a call.

Rules for `regex`: bounded or possessive quantifiers only; no `^`, `$`, `\\A`, `\\Z` (texts are scanned joined);
nothing that matches the separator U+001E; linear to try at one place.
Rules for `trigger`, one or several of which any will do: Hyperscan's syntax, no lookaround, no back-reference; a
character beyond ASCII stands for any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_AFTER_ANOTHER = ("(?:^|[^", "(?i)(?:^|[^")
"""How triggers begin that tell the character before a match, too."""
SEPARATOR = "\x1e"
"""Stands between texts that are scanned joined together; no pattern matches it."""

Check = Callable[[str], bool | None]
"""A validator: True confirms the match, False drops it, None leaves the score as it is."""

Lead = Callable[[str, int], int]
"""Tells of a text and a place where what leads to the place begins: there itself, or before it."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way in which an entity type is written.

    `group` is the part of the match that is reported, `checked` the part that `check` sees (that one, unless given).
    `score` is the belief in a bare match, `confirmed` in one that `check` accepts. A context word near it, or a key or
    column name that names the type, adds `lift`; the words are those of the type (`lexicon.WORDS`) and `words`. With
    `after`, the word right before must be one of those.
    """

    id: str
    type: str
    regex: str
    score: float
    reason: str
    trigger: str | tuple[str, ...] | None = None
    reach: int = 64
    ahead: int = 40
    begin: str | None = None
    ignore_case: bool = False
    digitless: bool = False
    dense: bool = False
    back: int = 0
    lead: Lead | None = None
    begins: bool = False
    check: Check | None = None
    confirmed: float = 0.0
    words: frozenset[str] = frozenset()
    lift: float = 0.4
    after: frozenset[str] = frozenset()
    group: int | str = 0
    checked: int | str | None = None
    subtype: str | None = None

    @property
    def begins_with_trigger(self) -> bool:
        """Whether matches are tried for where the trigger begins, rather than around its end."""
        if self.begins or self.back or self.begin is not None:
            return self.begins
        return isinstance(self.trigger, str) and self.trigger.startswith(("\\b", *_AFTER_ANOTHER))

    @property
    def after_another(self) -> bool:
        """Whether a match of the trigger begins one character earlier."""
        triggers = (self.trigger,) if isinstance(self.trigger, str) else self.trigger or ("",)
        return triggers[0].startswith(_AFTER_ANOTHER)
