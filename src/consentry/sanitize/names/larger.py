"""An optional larger model, supplied by the operator, that is asked only about spans of which the tagger is unsure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

from consentry.sanitize.finding import Finding

AROUND: Final = 200
"""Characters on either side of a span that the larger model may read."""


class Larger(Protocol):
    """Answers, for each span of a text, the type it reads there (None for no name) and how sure it is, 0…1."""

    def judge(self, text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str | None, float]]: ...


def settle(text: str, found: Sequence[Finding], model: Larger, unsure: float) -> list[Finding]:
    """The findings with those below `unsure` as the larger model sees them; dropped where it sees no name.

    Each question carries only the text around the span, so time is linear in the number of questions.
    """
    out: list[Finding] = []
    for one in found:
        if one.score >= unsure:
            out.append(one)
            continue
        low = max(0, one.start - AROUND)
        (label, score), *_ = model.judge(text[low : one.end + AROUND], [(one.start - low, one.end - low)])
        if label is not None:
            out.append(one._replace(type=label, score=score, reason="a larger model reads it so"))
    return out
