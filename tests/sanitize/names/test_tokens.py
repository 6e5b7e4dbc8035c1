"""Tokens as arrays: they tile the text, hash alike wherever they stand, and know their shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.sanitize.names import tokens
from consentry.sanitize.names.model import shipped


def tokenize(text: str) -> tokens.Tokens:
    return tokens.tokenize_codes(tokens.codes_of(text), shipped().tables)


def words(text: str) -> list[str]:
    piece = tokenize(text)
    return [text[a:b] for a, b in zip(piece.start.tolist(), piece.end.tolist(), strict=True)]


@given(st.text(max_size=200))
@settings(deadline=None)
def test_tokens_rise_and_leave_out_only_space(text):
    piece = tokenize(text)
    assert (piece.start < piece.end).all()
    assert (piece.start[1:] >= piece.end[:-1]).all()
    kept = "".join(words(text))
    left_out = set(text) - set(kept)
    assert all(char.isspace() or not char.isprintable() for char in left_out)


@given(st.text(max_size=40), st.text(max_size=40))
@settings(deadline=None)
def test_a_word_hashes_alike_wherever_it_stands(before, after):
    middle = tokenize(f"{before} Kowalska {after}")
    at = words(f"{before} Kowalska {after}").index("Kowalska")
    assert int(middle.key[at]) == tokens.word_hash("kowalska", shipped().tables)


@pytest.mark.parametrize(("one", "other"), [("Müller", "MULLER"), ("José", "jose"), ("ÅSA", "asa"), ("７", "0")])
def test_case_diacritics_and_digits_are_folded(one, other):
    assert tokenize(one).key[0] == tokenize(other).key[0]


def test_ascii_and_wide_text_hash_alike():
    assert tokenize("Anna lives").key.tolist() == tokenize("Anna lives é").key.tolist()[:2]


@pytest.mark.parametrize(
    ("word", "shape"),
    [
        ("anna", tokens.SHAPE_LOWER),
        ("Anna", tokens.SHAPE_INITIAL),
        ("ANNA", tokens.SHAPE_UPPER),
        ("McAnn", tokens.SHAPE_MIXED),
        ("A", tokens.SHAPE_SINGLE),
        ("42", tokens.SHAPE_DIGIT),
        ("-", tokens.SHAPE_OTHER),
        ("Élan", tokens.SHAPE_INITIAL),
    ],
)
def test_shapes(word, shape):
    assert tokenize(word).shape.tolist() == [shape]


def test_gaps_tell_glue_blank_line_and_paragraph():
    assert tokenize("a-b c\nd\n\ne").gap.tolist() == [3, 0, 0, 1, 2, 3]


def test_a_piece_too_long_is_refused():
    with pytest.raises(ValueError, match="longer than"):
        tokens.tokenize_codes(np.zeros(tokens.LONGEST + 1, np.uint8), shipped().tables)
