"""Expressions of operators that could hang a run are refused where they are read."""

from __future__ import annotations

import re

import pytest

from consentry.sanitize import profiles
from consentry.sanitize.profiles import ProfileInvalid, expressions


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+b",
        r"(a*)*b",
        r"(?:a|ab)+c",
        r"(?:\w+\s?)*x",
        r"(?:a{1,9}){1,9}b",
        r"(a?){40}a{40}",
        r"x(?=(a+)+b)",
        r"(?:(a+)+b)++",
        r"(?>(a+)+b)",
        r"(x)(?(1)(a+)+b|c)",
        r"(?x) ( a + ) + b",
        r"\w+\w+\w+x",
        r"(\w+?)+?x",
    ],
)
def test_an_expression_that_could_hang_is_refused_by_its_key(pattern: str) -> None:
    with pytest.raises(ProfileInvalid) as refused:
        profiles.parse(f"[[internal_id]]\nname = 'order'\npattern = '{pattern}'", "t")
    assert "`internal_id.0.pattern`" in str(refused.value)
    assert "could take forever" in str(refused.value)
    assert pattern not in str(refused.value)


@pytest.mark.parametrize(
    "pattern",
    [
        r"ORD-\d{6}",
        r"\bORD-\d+\b",
        r"(?:[A-Z]{2}|\d{3})-\d{4}(?:-\d{2,4}){0,3}",
        r"(?:\d++-)+x",
        r"(?:foo|bar)++",
        r"(?i)emp[._-]?\d{4,8}",
        r"(?>\w+)-(?>\w+)-\d+",
        r"(?<![\w])K\d{1,12}(?!\d)",
    ],
)
def test_an_expression_within_bounds_is_read(pattern: str) -> None:
    assert profiles.parse(f"[[internal_id]]\nname = 'order'\npattern = '{pattern}'", "t").internal_ids


def test_every_kind_of_node_is_told_by_the_name_that_the_parser_gives_it() -> None:
    from re import _parser

    names = {str(operator) for operator, _ in _parser.parse(r"a*b*?(?:cd){2}+(?>e)(?:fg|hi)(j)(?=k)(?!l)(?(1)m|n)")}
    assert names >= {
        "MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT", "ATOMIC_GROUP", "BRANCH", "SUBPATTERN", "ASSERT",
        "ASSERT_NOT", "GROUPREF_EXISTS",
    }  # fmt: skip
    with pytest.raises(re.error):
        expressions.check("(")
