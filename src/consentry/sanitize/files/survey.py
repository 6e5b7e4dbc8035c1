"""Before a table is sanitized: what does each column hold? Decided once, from a sample, and the same for all parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, islice
from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.columns import Column, Family, Verdict, judge_all
from consentry.sanitize.detector import Context
from consentry.sanitize.files.cleaner import Cleaner, ColumnPlan, TablePlan, without_fraction
from consentry.sanitize.profiles import Profile

SAMPLE: Final = 256
"""Values of each column that the verdict is taken from."""

_SAMPLE_LENGTH: Final = 400
_NAMED: Final = frozenset({entities.PERSON, entities.LOCATION, entities.ORGANIZATION, entities.NRP})
_ENOUGH: Final = 64
_TOGETHER: Final = 64
"""Columns whose samples are looked at in one go."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Some values of one column, nulls left out, and the kind of its type."""

    name: str
    family: Family
    values: Sequence[str]


def survey(samples: Sequence[Sample], cleaner: Cleaner, table: str = "") -> TablePlan:
    """A plan for each column: what the profile declares, else what the evidence says, else a look at each value."""
    begins = range(0, len(samples), _TOGETHER)
    columns = [column for begin in begins for column in _columns(samples[begin : begin + _TOGETHER], cleaner)]
    verdicts = judge_all(columns, table) if cleaner.profile.tables else [None] * len(columns)
    return {
        column.name: _plan(column, verdict, cleaner.profile, table)
        for column, verdict in zip(columns, verdicts, strict=True)
    }


def verdicts_of(plan: Mapping[str, ColumnPlan]) -> tuple[Verdict, ...]:
    """The verdicts that a plan was made from, for the report."""
    return tuple(one.verdict for one in plan.values() if one.verdict is not None)


def _columns(samples: Sequence[Sample], cleaner: Cleaner) -> list[Column]:
    """Columns with what was found in their samples, by one look at all: an object can have a field for each user."""
    values = [[without_fraction(value[:_SAMPLE_LENGTH]) for value in one.values[:SAMPLE]] for one in samples]
    about = [Context(one.name.rpartition(".")[2], (), True) for one in samples]
    contexts = [context for context, mine in zip(about, values, strict=True) for _ in mine]
    found = iter(cleaner.engines.full.scan_many([*chain.from_iterable(values)], contexts) if contexts else ())
    return [
        Column(one.name, one.family, mine, [*islice(found, len(mine))])
        for one, mine in zip(samples, values, strict=True)
    ]


def _plan(column: Column, verdict: Verdict | None, profile: Profile, table: str) -> ColumnPlan:
    declared = _declared(column.name, profile, table)
    if declared == "keep":
        return ColumnPlan("keep")
    if declared is not None and declared != "scan":
        return ColumnPlan("whole", declared)
    if verdict is not None and verdict.decides and declared is None:
        return ColumnPlan("whole", verdict.type, True, verdict)
    return ColumnPlan("scan", None, profile.names and _may_hold_names(column), verdict)


def _declared(name: str, profile: Profile, table: str) -> str | None:
    full = f"{table}.{name}" if table else name
    for pattern, entity in profile.columns.items():
        if fnmatchcase(name, pattern) or fnmatchcase(full, pattern):
            return entity
    return None


def _may_hold_names(column: Column) -> bool:
    """False for columns of codes: enough samples, all of one word, and no name in any of them."""
    if column.family != "text" or len(column.samples) < _ENOUGH:
        return True
    if any(one.type in _NAMED for found in column.found for one in found):
        return True
    return any(" " in value.strip() for value in column.samples)
