"""What a column holds, judged from its name, its Arrow type and a sample of its values, with the reasons.

A verdict is about the column as a whole: with a type, every value of it is treated as that type, whether or not the
value alone would have been found. Without one, values are still looked at one by one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from consentry.sanitize import entities
from consentry.sanitize.column_names import NEEDED, PERSON_TABLES, NameRule, match_name, words_of
from consentry.sanitize.finding import Finding

if TYPE_CHECKING:
    import pyarrow as pa

Role = Literal["direct", "quasi", "sensitive"]
Family = Literal["text", "integer", "decimal", "temporal", "boolean", "binary", "nested", "null"]

CONFIDENT: Final = 0.7
"""A verdict of at least this confidence decides for every value of the column."""

_COVERED: Final = 0.8
"""A finding is about a whole value when it covers this share of its characters."""
_MOST: Final = 0.6
_STRONG: Final = 0.8
_STRONG_NAMES: Final = frozenset(
    {"first name", "last name", "surname", "firstname", "lastname", "email", "birthdate", "birth date", "dob"}
)
_WEAK_ALONE: Final = frozenset(
    {
        entities.DATE_TIME,
        entities.AGE,
        entities.LOCATION,
        entities.ORGANIZATION,
        entities.TITLE,
        entities.NRP,
        entities.POSTAL_CODE,
        entities.GENDER,
        entities.URL,
        entities.USERNAME,
    }
)
"""Types that values alone do not prove: product names look like organisations, version numbers like dates."""
_QUASI: Final = frozenset(
    {
        entities.DATE_TIME,
        entities.AGE,
        entities.LOCATION,
        entities.ORGANIZATION,
        entities.TITLE,
        entities.NRP,
        entities.POSTAL_CODE,
        entities.GENDER,
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """A column to be judged: its name, the kind of its Arrow type, and some of its values as text (nulls left out).

    `found` holds the findings of each sample, in the same order.
    """

    name: str
    family: Family
    samples: Sequence[str]
    found: Sequence[Sequence[Finding]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the column holds. `type` None with a `role` says that it matters without being an identifier by itself."""

    column: str
    type: str | None
    role: Role | None
    confidence: float
    reasons: tuple[str, ...]

    @property
    def decides(self) -> bool:
        """Whether every value is to be treated as `type`."""
        return self.type is not None and self.confidence >= CONFIDENT


def judge(column: Column, table: str = "", siblings: Collection[str] = ()) -> Verdict:
    """The verdict on one column of a table with the given name and column names."""
    return _judge(column, _Neighbours(table, siblings))


def _judge(column: Column, neighbours: _Neighbours) -> Verdict:
    about_people = neighbours.are_about_people(column.name)
    rule = match_name(words_of(column.name), about_people, neighbours.words(column.name))
    value_type, share = _by_values(column)
    if rule is not None:
        verdict = _by_name(column, rule, value_type, share)
        if verdict is not None:
            return verdict
    if value_type is None or share < _MOST:
        return Verdict(column.name, None, None, 0.0, ("nothing in its name or values",))
    reason = f"{share:.0%} of the sampled values are wholly {value_type}"
    if value_type in _WEAK_ALONE or (value_type == entities.PERSON and not about_people):
        return Verdict(column.name, None, None, share / 2, (reason, "which values alone do not prove"))
    confidence = share if share >= _STRONG else share - 0.1
    return Verdict(column.name, value_type, _role(value_type), round(confidence, 3), (reason,))


def judge_all(columns: Sequence[Column], table: str = "") -> list[Verdict]:
    """Every column of one table, in order."""
    neighbours = _Neighbours(table, [column.name for column in columns])
    return [_judge(column, neighbours) for column in columns]


def family_of(data_type: pa.DataType) -> Family:
    """The kind of an Arrow type that evidence is weighed by; dictionaries count as their values."""
    import pyarrow as pa
    import pyarrow.types as t

    if isinstance(data_type, pa.DictionaryType):
        return family_of(data_type.value_type)
    checks: tuple[tuple[Family, bool], ...] = (
        ("null", t.is_null(data_type)),
        ("boolean", t.is_boolean(data_type)),
        ("integer", t.is_integer(data_type)),
        ("decimal", t.is_floating(data_type) or t.is_decimal(data_type)),
        ("text", t.is_string(data_type) or t.is_large_string(data_type) or t.is_string_view(data_type)),
        ("temporal", t.is_temporal(data_type)),
        ("nested", t.is_nested(data_type)),
    )
    return next((family for family, holds in checks if holds), "binary")


class _Neighbours:
    """What the names of a table and its columns say of each column: asked once a column, made once a table."""

    def __init__(self, table: str, names: Collection[str]) -> None:
        self._people = bool(PERSON_TABLES & {word.removesuffix("s") for word in words_of(table)})
        self._strong: set[str] = set()
        self._by_word: dict[str, set[str]] = {word: set() for word in NEEDED}
        for name in set(names):
            words = words_of(name)
            if " ".join(words) in _STRONG_NAMES:
                self._strong.add(name)
            for word in NEEDED.intersection(words):
                self._by_word[word].add(name)

    def are_about_people(self, name: str) -> bool:
        """Whether the table is about people, by what stands beside the column of this name."""
        return self._people or len(self._strong) > (name in self._strong)

    def words(self, name: str) -> frozenset[str]:
        """Those words that rules may need which stand in the name of another column."""
        return frozenset(word for word, names in self._by_word.items() if len(names) > (name in names))


def _by_values(column: Column) -> tuple[str | None, float]:
    """The type that most of the sampled values wholly are, and their share."""
    if not column.samples:
        return None, 0.0
    counts: Counter[str] = Counter()
    for value, findings in zip(column.samples, column.found, strict=True):
        solid = len(value.strip())
        for one in findings:
            if solid and one.end - one.start >= _COVERED * solid:
                counts[one.type] += 1
                break
    if not counts:
        return None, 0.0
    entity, count = counts.most_common(1)[0]
    return entity, count / len(column.samples)


def _by_name(column: Column, rule: NameRule, value_type: str | None, share: float) -> Verdict | None:
    if column.family not in rule.families:
        return None
    reasons = [f"its name says {rule.type or rule.role}"]
    confidence = rule.weight
    fit = _fit(column.samples, rule)
    if fit < 0.5:
        if value_type is not None and share >= _STRONG:
            return None
        return Verdict(column.name, None, None, 0.0, (*reasons, "but its values do not look like it"))
    if rule.shape is not None and column.samples:
        reasons.append(f"{fit:.0%} of the sampled values have its shape")
        confidence = min(0.99, confidence + 0.1 * fit)
    if rule.type is not None and value_type == rule.type:
        reasons.append(f"{share:.0%} are found as {rule.type} by themselves")
        confidence = min(0.99, confidence + 0.2 * share)
    return Verdict(column.name, rule.type, rule.role, round(confidence, 3), tuple(reasons))


def _fit(samples: Sequence[str], rule: NameRule) -> float:
    if rule.shape is None or not samples:
        return 1.0
    # Stand-ins that an earlier run wrote count as fitting, or a second run would judge otherwise than the first.
    return sum(rule.shape.search(value) is not None or value[:1] in "<[" or "*" in value for value in samples) / len(
        samples
    )


def _role(entity: str) -> Role:
    return "quasi" if entity in _QUASI else "direct"
