"""The row of every pattern table.

How a pattern is matched. `regex` says exactly what matches, as `re.finditer` with `re.ASCII` would find it. The vector
pass runs `trigger` instead, and `regex` is tried only near a trigger. Both ways find the same matches as long as

    every match of `regex` at `start` holds a match of `trigger` that ends within `start … start + reach`,

which holds by itself where no trigger is given and `reach` is at least the longest match. A trigger should end once
per candidate (a literal, a fixed number of digits, a boundary): each end costs a call.

Rules for `regex`: bounded quantifiers only; no `^`, `$`, `\\A`, `\\Z` (texts are scanned joined together); nothing that
matches the separators U+001E or U+0000; at most 32 characters of lookbehind or lookahead; linear to try at one place.
Rules for `trigger`: Hyperscan's syntax, no lookaround, no back-reference, ASCII only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Check = Callable[[str], bool | None]
"""A validator: True confirms the match, False drops it, None leaves the score as it is."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One way in which an entity type is written.

    `score` is the belief in a bare match, `confirmed` in one that `check` accepts. A context word (or the key, or the
    column name) within reach adds `lift`. `group` is the part of the match that is reported. With `strict`, a match
    without context is not reported at all. `view` is what the check is given: the matched text as it stands.
    """

    id: str
    type: str
    regex: str
    score: float
    reason: str
    trigger: str | None = None
    reach: int = 64
    ignore_case: bool = False
    check: Check | None = None
    confirmed: float = 0.0
    context: tuple[str, ...] = ()
    lift: float = 0.35
    strict: bool = False
    group: int | str = 0
    subtype: str | None = None
