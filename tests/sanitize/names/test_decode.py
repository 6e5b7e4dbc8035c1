"""The best allowed path, against trying every path."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from consentry.sanitize.names.decode import LONGEST_RUN, best_path

LABELS = ("O", "B-A", "I-A", "B-C", "I-C")


def rules() -> np.ndarray:
    out = np.zeros((5, 5), np.float32)
    for column, to in enumerate(LABELS):
        for row, of in enumerate(LABELS):
            if to[0] == "I" and of[2:] != to[2:]:
                out[row, column] = -1e4
    return out


def by_trying(emissions: np.ndarray) -> tuple[int, ...]:
    def total(path: tuple[int, ...]) -> float:
        before = (0, *path)
        return sum(float(emissions[i, label] + rules()[before[i], label]) for i, label in enumerate(path))

    return max(product(range(5), repeat=len(emissions)), key=total)


@pytest.mark.parametrize("seed", range(12))
def test_the_path_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 6, 4).tolist()
    where = np.concatenate([np.arange(n) + 10 * i for i, n in enumerate(lengths)])
    emissions = rng.normal(size=(len(where), 5)).astype(np.float32)
    expected: list[int] = []
    at = 0
    for length in lengths:
        expected += by_trying(emissions[at : at + length])
        at += length
    assert best_path(emissions, where, rules()).tolist() == expected


def test_a_very_long_run_is_cut_and_still_decoded():
    count = 3 * LONGEST_RUN + 5
    emissions = np.zeros((count, 5), np.float32)
    emissions[:, 2] = 1.0
    path = best_path(emissions, np.arange(count), rules())
    assert path.shape == (count,)
    assert rules()[path[:-1], path[1:]].min() == 0 or (path[LONGEST_RUN] in (1, 3))
    assert (path > 0).mean() > 0.9


def test_nothing_gives_nothing():
    assert best_path(np.zeros((0, 5), np.float32), np.zeros(0, np.intp), rules()).tolist() == []
