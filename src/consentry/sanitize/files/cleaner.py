"""Values in, sanitized values out, with memory: the part that every format shares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal

from consentry.sanitize import entities
from consentry.sanitize.columns import Verdict
from consentry.sanitize.detector import NO_CONTEXT, Context
from consentry.sanitize.files import prefilter
from consentry.sanitize.files.tally import Tally
from consentry.sanitize.finding import Finding
from consentry.sanitize.profiles import Profile, Scans
from consentry.sanitize.transforms import About, KeyRing, Plan
from consentry.sanitize.transforms.apply import finish, finish_many

Mode = Literal["keep", "whole", "scan"]
_CACHED_LENGTH: Final = 64
_FEW: Final = 8
_CACHE_LIMIT: Final = 100_000
_MOST_DIGITS: Final = 19
_WHOLE: Final = re.compile(r"(-?\d{6,19})\.0{1,6}", re.ASCII)
_POWER: Final = re.compile(r"-?\d\.\d{4,18}[eE]\+?\d{1,2}", re.ASCII)
_SURROGATES: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """What happens to one column: nothing, every value as `type`, or a look at each; `names` False saves the names
    pass for columns of codes, where no sampled value had a name in it."""

    mode: Mode = "scan"
    type: str | None = None
    names: bool = True
    verdict: Verdict | None = None


SCAN: Final = ColumnPlan()
TablePlan = Mapping[str, ColumnPlan]


@dataclass(frozen=True, slots=True)
class Engines:
    """The engine with names and the one without."""

    full: Scans
    codes: Scans

    @property
    def names(self) -> bool:
        """Whether names are looked for at all."""
        return self.full is not self.codes


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that a worker needs to make its own `Cleaner`; goes over a pipe to our own processes only.

    `changes` False looks without changing anything (`consentry scan`). `engines` is a function of a module, so that
    it can be named to another process.
    """

    profile: Profile
    keys: KeyRing
    engines: Callable[[Profile], Engines]
    changes: bool = True

    def cleaner(self) -> Cleaner:
        return Cleaner(self.engines(self.profile), self.profile.plan(self.keys), self.profile, self.changes)


@dataclass(slots=True)
class Cleaner:
    """Looks at values and changes them by a plan, and keeps count in `tally`."""

    engines: Engines
    plan: Plan
    profile: Profile
    changes: bool = True
    tally: Tally = field(default_factory=Tally)
    _known: dict[tuple[str, str, bool], tuple[str, tuple[Finding, ...]]] = field(default_factory=dict)

    def take_tally(self) -> Tally:
        """The counts since the last call."""
        taken, self.tally = self.tally, Tally()
        return taken

    def cells(
        self,
        values: Sequence[str],
        place: str,
        column: ColumnPlan = SCAN,
        path: tuple[str, ...] = (),
        counts: Sequence[int] | None = None,
    ) -> list[str]:
        """The values of one column or JSON key, each sanitized as its plan says.

        `place` is the name in the report, `path` the keys above the values; `counts` says how often each value stands
        in the column, where `values` holds each only once.
        """
        times = counts if counts is not None else [1] * len(values)
        if column.mode == "keep":
            return list(values)
        if column.mode == "whole" and column.type is not None:
            return [self.whole(value, place, column, "", many) for value, many in zip(values, times, strict=True)]
        # `(key)`, `(file names)` and the like are our words for a place: a JSON key is no value under a name `key`.
        key = path[-1] if path else None if place.endswith(")") else (place or None)
        context = Context(key, path[:-1], True)
        worded = [False] if column.names or not self.engines.names else [" " in one.strip() for one in values]
        if not any(worded):
            return self._scanned(values, place, context, column.names, times)
        return self._parted(values, place, context, worded, times)

    def whole(self, value: str, place: str, column: ColumnPlan, subject: str = "", times: int = 1) -> str:
        """One value of a column whose verdict decides; counts it unless it is ours or blank already."""
        about = About(column.type or entities.INTERNAL_ID, None, subject)
        if not value.strip() or self.plan.owns(value, about):
            return value
        written, value = value, without_fraction(value)
        self.tally.values += times
        verdict = column.verdict
        score = verdict.confidence if verdict is not None else 1.0
        reason = f"column: {'; '.join(verdict.reasons)}" if verdict is not None else "column: declared in the profile"
        step = self.plan.step(about.type)
        self.tally.at(place, about.type).add(score, step.name if self.changes else "", reason, value, about.type, times)
        return self.plan.transform(value, about) if self.changes and not step.keeps else written

    def text(self, text: str, place: str = "", context: Context = NO_CONTEXT, pads: tuple[int, int] = (0, 0)) -> str:
        """Running text. `pads` characters at the start and end are only looked at for context and are not returned."""
        left, right = pads
        end = len(text) - right
        plain = _plain(text)
        found = [
            _clip(one, left, end)
            for one in self.engines.full.scan(plain, context)
            if one.end > left and one.start < end
        ]
        self.tally.values += 1
        self._count(plain, found, place)
        if not self.changes or not any(self.plan.acts_on(one) for one in found):
            return text[left:end]
        body = text[left:end]
        moved = [_moved(one, -left) for one in found]
        return finish(body, moved, lambda one: self.engines.full.scan(_plain(one), context), self.plan).text

    def _parted(
        self, values: Sequence[str], place: str, context: Context, worded: Sequence[bool], times: Sequence[int]
    ) -> list[str]:
        """A column of codes with some values of several words. No sampled value was, so those may hold names."""
        out = [*values]
        for names in (True, False):
            places = [at for at, one in enumerate(worded) if one is names]
            some = self._scanned([values[at] for at in places], place, context, names, [times[at] for at in places])
            for at, new in zip(places, some, strict=True):
                out[at] = new
        return out

    def _scanned(
        self, values: Sequence[str], place: str, context: Context, names: bool, times: Sequence[int]
    ) -> list[str]:
        engine = self.engines.full if names else self.engines.codes
        known, key = self._known, context.key or ""
        if len(known) > _CACHE_LIMIT:
            known.clear()
        fresh = [one for one in dict.fromkeys(values) if (one, key, names) not in known]
        new: dict[str, tuple[str, tuple[Finding, ...]]] = {}
        plain = [_cell(one) for one in fresh]
        seen = self._look(plain, context, names)
        changed = self._changed(plain, seen, engine, context)
        for at, (value, text, found) in enumerate(zip(fresh, plain, seen, strict=True)):
            out = changed.get(at, text)
            entry = (value if out == text else out, tuple(found))
            if len(value) <= _CACHED_LENGTH:
                known[value, key, names] = entry
            else:
                new[value] = entry
        self.tally.values += sum(times)
        result = []
        for value, many in zip(values, times, strict=True):
            out, hits = known.get((value, key, names)) or new[value]
            if hits:
                self._count(_cell(value), hits, place, many)
            result.append(out)
        return result

    def _look(self, texts: list[str], context: Context, names: bool) -> list[list[Finding]]:
        """The findings of each text. Without names, one pass over all texts joined says which are worth a look."""
        engine = self.engines.full if names else self.engines.codes
        names = names and self.engines.names
        places = None if names or len(texts) < _FEW else prefilter.touched(texts, engine, context)
        if places is None:
            return engine.scan_many(texts, [context] * len(texts))
        out: list[list[Finding]] = [[] for _ in texts]
        some = [texts[at] for at in places]
        for at, found in zip(places, engine.scan_many(some, [context] * len(some)) if some else [], strict=True):
            out[at] = found
        return out

    def _changed(self, texts: list[str], seen: list[list[Finding]], engine: Scans, context: Context) -> dict[int, str]:
        """By their places, the texts in which something is found, transformed."""
        places = [at for at, found in enumerate(seen) if found] if self.changes else []
        done = finish_many(
            [texts[at] for at in places],
            [seen[at] for at in places],
            lambda again: engine.scan_many(again, [context] * len(again)),
            self.plan,
        )
        return {at: applied.text for at, applied in zip(places, done, strict=True)}

    def _count(self, text: str, found: Sequence[Finding], place: str, times: int = 1) -> None:
        for one in found:
            value = text[one.start : one.end]
            about = About(one.type, one.subtype)
            if self.plan.owns(value, about) and not self.plan.step(one.type).keeps:
                continue
            step = self.plan.step(one.type)
            done = step.name if step.keeps or self.plan.acts_on(one) else "below the profile's score"
            done = done if self.changes else ""
            self.tally.at(place, one.type, one.subtype).add(one.score, done, one.reason, value, one.type, times)


def without_fraction(value: str) -> str:
    """A number without a fraction that is none: a column with gaps spells a card `4111111111111111.0`."""
    if value[-1:] == "0" and (found := _WHOLE.fullmatch(value)):
        return found[1]
    if "e" in value[5:] or "E" in value[5:]:
        number = Decimal(value) if _POWER.fullmatch(value) else None
        if number is not None and number.adjusted() < _MOST_DIGITS and number == number.to_integral_value():
            return str(int(number))
    return value


def _cell(value: str) -> str:
    """A value as detectors see it: what is changed of it takes the place of the whole."""
    return without_fraction(_plain(value))


def _plain(text: str) -> str:
    """Lone surrogates, which JSON can hold and UTF-8 cannot, stand as U+FFFD while detectors look; offsets stay."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def _clip(one: Finding, left: int, end: int) -> Finding:
    if one.start >= left and one.end <= end:
        return one
    return Finding(one.type, max(one.start, left), min(one.end, end), one.score, one.detector, one.reason, one.subtype)


def _moved(one: Finding, by: int) -> Finding:
    return (
        Finding(one.type, one.start + by, one.end + by, one.score, one.detector, one.reason, one.subtype) if by else one
    )
