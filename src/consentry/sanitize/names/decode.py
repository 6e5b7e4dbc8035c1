"""From label scores to spans: which tokens are looked at, and the best allowed path through them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.sanitize.names import features
from consentry.sanitize.names.model import F32, Model
from consentry.sanitize.names.tokens import (
    SHAPE_DIGIT,
    SHAPE_INITIAL,
    SHAPE_LOWER,
    SHAPE_MIXED,
    SHAPE_OTHER,
    SHAPE_SINGLE,
    SHAPE_UPPER,
    Tokens,
)

REACH: Final = 2
"""How many tokens beside a capitalised one are looked at although nothing about them promises a name."""
LONGEST_RUN: Final = 48
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
_CAPITAL: Final = np.isin(np.arange(7), (SHAPE_INITIAL, SHAPE_UPPER, SHAPE_MIXED, SHAPE_SINGLE))


_made = tuple.__new__


class Span(NamedTuple):
    """Tokens `first…last` (inclusive) as one name, and how sure it is that they are no plain words."""

    first: int
    last: int
    label: str
    score: float


def looked_at(tokens: Tokens, slots: Rows, size: int, model: Model) -> Mask:
    """The slots whose tokens can be part of a name: capitalised ones, likely lower-case ones, and what stands close."""
    shape = tokens.shape
    strong = _CAPITAL[shape]
    lower = np.flatnonzero(shape == SHAPE_LOWER)
    first = lower[model.may_start_low(tokens.key[lower])]
    strong[first] = True
    after = first[first + 1 < len(shape)] + 1
    strong[after[(shape[after] == SHAPE_LOWER) & (tokens.gap[after] == 1)]] = True
    likely = np.flatnonzero(strong)
    strong[likely[features.contains(model.never, features.type_keys(tokens.key[likely], shape[likely]))]] = False
    mask = np.zeros(size, bool)
    mask[slots[strong]] = True
    left, right = mask.copy(), mask.copy()
    for step in range(1, REACH + 1):
        left[step:] |= mask[:-step]
        right[:-step] |= mask[step:]
    filled = np.zeros(size, bool)
    filled[slots] = shape != SHAPE_DIGIT
    abbreviated = slots[1:][(shape[1:] == SHAPE_OTHER) & (shape[:-1] == SHAPE_SINGLE) & (tokens.gap[1:] == 0)]
    right[abbreviated] = True
    digits = np.zeros(size, bool)
    digits[slots] = shape == SHAPE_DIGIT
    return np.asarray((left & right & filled) | ((left | right) & digits))


def _spread(mask: Mask, reach: int) -> Mask:
    out = mask.copy()
    for step in range(1, reach + 1):
        out[step:] |= mask[:-step]
        out[:-step] |= mask[step:]
    return out


def scores(tokens: Tokens, slots: Rows, model: Model, mask: Mask) -> F32:
    """Label scores of the slots in `mask`, in order."""
    rows = np.flatnonzero(_spread(mask, features.WINDOW)[slots])
    vectors, kind = model.type_vectors(tokens, rows)
    return model.emissions(vectors, kind, tokens.gap[rows], slots[rows], len(mask), np.flatnonzero(mask))


def best_path(emissions: F32, where: npt.NDArray[np.intp], transitions: F32) -> npt.NDArray[np.int64]:
    """The best label of each row, runs of neighbouring tokens decoded side by side (Viterbi 1967).

    Transitions only forbid, so where the best labels break no rule they are the best path. A run longer than
    `LONGEST_RUN` is cut. Row and column 0 of `transitions` stand for `O`, which also stands before and
    after every run.
    """
    path: npt.NDArray[np.int64] = emissions.argmax(1)
    if not len(path):
        return path
    fresh = np.flatnonzero(np.diff(where, prepend=-2) != 1)
    lengths = np.diff(np.append(fresh, len(path)))
    before = np.concatenate([[0], path[:-1]])
    before[fresh] = 0
    broken = transitions[before, path] < 0
    if not broken.any():
        return path
    runs = np.unique(np.searchsorted(fresh, np.flatnonzero(broken), side="right") - 1)
    starts, lengths = _cut(fresh[runs], lengths[runs])
    order = np.argsort(-lengths, kind="stable")
    starts, lengths = starts[order], lengths[order]
    best = emissions[starts] + transitions[0]
    back: list[npt.NDArray[np.int64]] = []
    for step in range(1, int(lengths[0])):
        alive = int(np.searchsorted(-lengths, -step, side="left"))
        reached = best[:alive, :, None] + transitions[None]
        chosen = reached.argmax(1)
        back.append(chosen)
        best = best.copy()
        best[:alive] = np.take_along_axis(reached, chosen[:, None, :], 1)[:, 0] + emissions[starts[:alive] + step]
    last = (best + transitions[:, 0]).argmax(1)
    for step in range(int(lengths[0]) - 1, -1, -1):
        alive = int(np.searchsorted(-lengths, -step, side="left")) if step else len(lengths)
        path[starts[:alive] + step] = last[:alive]
        if step:
            last[:alive] = np.take_along_axis(back[step - 1], last[:alive, None], 1)[:, 0]
    return path


def _cut(
    starts: npt.NDArray[np.intp], lengths: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    if not len(lengths) or int(lengths.max()) <= LONGEST_RUN:
        return starts, lengths
    pieces = -(-lengths // LONGEST_RUN)
    owner = np.repeat(np.arange(len(starts)), pieces)
    index = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    cut_starts = starts[owner] + index * LONGEST_RUN
    cut_lengths = np.minimum(LONGEST_RUN, lengths[owner] - index * LONGEST_RUN)
    return cut_starts, cut_lengths


def spans(tokens: Tokens, owner: Rows, model: Model, bias: float) -> list[Span]:
    """The names among the tokens of one or several texts; `owner` numbers the text of each token from 0, rising.

    No text sees another. `bias` is taken off the score of `O`: more of it finds more and errs more.
    """
    if not len(tokens):
        return []
    slots = np.arange(len(tokens)) + features.WINDOW * (owner + 1)
    mask = looked_at(tokens, slots, int(slots[-1]) + 1 + features.WINDOW, model)
    where = np.flatnonzero(mask)
    if not len(where):
        return []
    emissions = scores(tokens, slots, model, mask)
    emissions[:, 0] -= bias
    path = best_path(emissions, where, model.transitions)
    inside = np.flatnonzero(path)
    if not len(inside):
        return []
    chosen = np.exp(emissions[inside] - emissions[inside].max(1, keepdims=True))
    sure = 1.0 - chosen[:, 0] / chosen.sum(1)
    rows = where[inside] - features.WINDOW * (owner[np.searchsorted(slots, where[inside])] + 1)
    follows = np.diff(rows, prepend=-2) == 1
    follows[1:] &= owner[rows[1:]] == owner[rows[:-1]]
    return _grouped(rows, path[inside], sure.astype(np.float64), follows, model.labels)


def _grouped(
    rows: Rows, path: npt.NDArray[np.int64], sure: npt.NDArray[np.float64], follows: Mask, labels: tuple[str, ...]
) -> list[Span]:
    """Tokens that are no plain words as names: an `I` label goes on with the name right before it of the same kind."""
    inner = np.array([label[0] == "I" for label in labels])[path]
    kinds = [label[2:] for label in labels]
    kind = np.array([kinds.index(one) for one in kinds])[path]
    goes_on = follows & inner
    goes_on[1:] &= kind[1:] == kind[:-1]
    goes_on[0] = False
    starts = np.flatnonzero(~goes_on)
    lengths = np.diff(np.append(starts, len(rows)))
    means = np.add.reduceat(sure, starts) / lengths
    return [
        _made(Span, (first, last, kinds[one], mean))
        for first, last, one, mean in zip(
            rows[starts].tolist(),
            rows[starts + lengths - 1].tolist(),
            kind[starts].tolist(),
            means.tolist(),
            strict=True,
        )
    ]
