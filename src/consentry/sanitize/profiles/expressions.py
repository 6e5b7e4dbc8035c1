"""Whether an operator's regular expression can take a time out of all proportion to the text.

Python's `re` tries every way to share a text out among the quantifiers of an expression before it gives up, and
`(a+)+b` has exponentially many. The ways are counted from above in the parsed expression; what is possessive (`a++`) or
atomic (`(?>…)`) is left in one way only. Hyperscan would need no such count but is an extra, and what a profile finds
must not depend on which extras are there.
"""

from __future__ import annotations

from collections.abc import Iterable
from re import _parser
from typing import Any, Final

MOST_WAYS: Final = 1_000_000
_UNBOUNDED: Final = 10_000
"""What a quantifier without an upper bound counts for: one stands beside a few choices, two do not."""

Node = tuple[object, Any]
"""An operator of the parser and what it applies to, which differs by operator."""


class TooManyWays(ValueError):
    """The expression could hang a run."""


def check(pattern: str) -> None:
    """Raises `TooManyWays` for an expression that could hang a run, and `re.error` for what is none."""
    _ways(_parser.parse(pattern))


def _ways(nodes: Iterable[Node]) -> int:
    """In how many ways a sequence can match at one place, at most."""
    product = 1
    for node in nodes:
        product = _bounded(product * _ways_of(*node))
    return product


def _ways_of(operator: object, content: Any) -> int:
    match str(operator), content:
        case "MAX_REPEAT" | "MIN_REPEAT", (int(least), most, body):
            return _repeated(least, min(int(most), _UNBOUNDED), _ways(body))
        case "POSSESSIVE_REPEAT", (_, _, body):
            _ways(body)
            return 1
        case "ATOMIC_GROUP", body:
            _ways(body)
            return 1
        case "BRANCH", (_, branches):
            return sum(_ways(branch) for branch in branches)
        case "SUBPATTERN", (_, _, _, body):
            return _ways(body)
        case "ASSERT" | "ASSERT_NOT", (_, body):
            return _ways(body)
        case "GROUPREF_EXISTS", (_, yes, no):
            return _ways(yes) + _ways(no or ())
    return 1


def _repeated(least: int, most: int, inner: int) -> int:
    counts = most - min(least, most) + 1
    if inner == 1:
        return counts
    product = counts
    for _ in range(most):
        product = _bounded(product * inner)
    return product


def _bounded(ways: int) -> int:
    if ways > MOST_WAYS:
        raise TooManyWays(
            "could take forever: its quantifiers share a text out in too many ways; give them upper bounds, as in "
            "`{1,40}`, or make them possessive, as in `++`"
        )
    return ways
