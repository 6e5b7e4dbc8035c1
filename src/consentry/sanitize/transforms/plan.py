"""Which transform each entity type gets in one run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.finding import Finding
from consentry.sanitize.transforms import marks
from consentry.sanitize.transforms.base import About, CannotTransform, Transform
from consentry.sanitize.transforms.coarse import BAND, CUT_CODE
from consentry.sanitize.transforms.simple import Keep, Replace
from consentry.sanitize.transforms.surrogates import find_surrogates

_CACHE_LIMIT: Final = 200_000


@dataclass(frozen=True, slots=True)
class Step:
    """A transform and the least score at which it is applied. `name` is the profile's word for it."""

    name: str
    transform: Transform
    min_score: float = 0.5

    @property
    def keeps(self) -> bool:
        return isinstance(self.transform, Keep)


@dataclass(frozen=True, slots=True)
class Plan:
    """A step for each type, and `default` for every type that has none."""

    steps: Mapping[str, Step]
    default: Step = field(default_factory=lambda: Step("replace", Replace()))
    _done: dict[tuple[str, str, str], str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def types(self) -> frozenset[str]:
        """The types that have a step of their own."""
        return frozenset(self.steps)

    def step(self, entity: str) -> Step:
        """The step of a type."""
        return self.steps.get(entity, self.default)

    def acts_on(self, finding: Finding) -> bool:
        """Whether a finding is to be transformed at all."""
        step = self.step(finding.type)
        return not step.keeps and finding.score >= step.min_score

    def transform(self, value: str, about: About) -> str:
        """What stands in the value's place; its placeholder where the transform cannot do it or changes nothing."""
        remembered = self._done.get((value, about.type, about.subject))
        if remembered is not None:
            return remembered
        transform = self.step(about.type).transform
        try:
            out = transform.of(value, about)
        except CannotTransform:
            out = marks.placeholder(about.type)
        if out == value and not transform.made(value, about):
            out = marks.placeholder(about.type)
        if len(self._done) >= _CACHE_LIMIT:
            self._done.clear()
        self._done[value, about.type, about.subject] = out
        return out

    def whole(self, value: str, about: About) -> str:
        """A value that is known to be of the type as a whole, as a cell of a column is; ours and blanks are left."""
        if not value.strip() or self.step(about.type).keeps or self.owns(value, about):
            return value
        return self.transform(value, about)

    def owns(self, value: str, about: About) -> bool:
        """Whether all of the value is ours already: a mark, a stand-in, or what its transform would have written."""
        if self.step(about.type).transform.made(value, about):
            return True
        return _covers(own_spans(value, about.type, self.types), value)


def own_spans(text: str, entity: str | None, types: frozenset[str]) -> list[tuple[int, int]]:
    """Where in a text our own output stands: marks, stand-ins, and what is left of ages and codes. Sorted."""
    spans = marks.find_marks(text, types) + find_surrogates(text)
    if entity == entities.AGE:
        spans += [found.span() for found in BAND.finditer(text)]
    elif entity == entities.POSTAL_CODE and "*" in text:
        spans += [found.span() for found in CUT_CODE.finditer(text)]
    return sorted(spans)


def _covers(spans: list[tuple[int, int]], value: str) -> bool:
    """Whether no letter or digit of the value lies outside the spans."""
    at = 0
    for start, end in spans:
        if any(character.isalnum() for character in value[at:start]):
            return False
        at = max(at, end)
    return bool(spans) and not any(character.isalnum() for character in value[at:])
