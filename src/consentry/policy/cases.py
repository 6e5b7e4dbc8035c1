"""Example cases kept beside the policies: what should happen, checked against what does.

A file `cases/*.toml` names its people once and then holds `[[case]]` tables. Only what a case expects is compared, so
a case says no more than it is about.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError

from consentry.actions import Json
from consentry.errors import ConsentryError
from consentry.policy.annotations import Malformed, duration
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Assurance, Judgement, Stage
from consentry.policy.problems import PolicyInvalid, Problem
from consentry.policy.scenario import People, Scenario, Strict, wrong


def _is_duration(text: str) -> str:
    try:
        duration(text)
    except Malformed as error:
        raise ValueError(str(error)) from None
    return text


Duration = Annotated[str, AfterValidator(_is_duration)]


class StageForm(Strict):
    """What one stage of a review should ask for."""

    reviewers: list[str] | None = None
    quorum: int | None = None
    assurance: Assurance | None = None


class Expectation(StageForm):
    """What should happen; what is left out may be anything.

    `reviewers`, `quorum` and `assurance` are those of the only stage; where there are several, name them in `stages`.
    """

    verdict: Literal["allow", "review", "deny"]
    reasons: list[str] | None = None
    stages: list[StageForm] | None = None
    expires: Duration | None = None
    grant_expires: Duration | None = None
    masks: list[str] | None = None
    level: Literal["L0", "L1", "L2"] | None = None
    break_glass: list[str] | None = None


class Case(Scenario):
    """One example: a situation and what should come of it."""

    name: str
    expect: Expectation


class CaseFile(People):
    """The content of one `cases/*.toml`."""

    case: list[Case] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that came out otherwise."""

    what: str
    expected: Json
    got: Json


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one case went. It passed when nothing differs."""

    file: str
    name: str
    judgement: Judgement | None
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        return not self.differences

    def to_json(self) -> dict[str, Json]:
        return {
            "file": self.file,
            "case": self.name,
            "passed": self.passed,
            "differences": [{"what": d.what, "expected": d.expected, "got": d.got} for d in self.differences],
        }


def run(policies: PolicySet, cases: Mapping[str, str]) -> list[Outcome]:
    """Every case of `cases` (file name to TOML). Raises `PolicyInvalid` for a file that is not of the form."""
    return [outcome for file in sorted(cases) for outcome in _run_file(policies, file, cases[file])]


def from_directory(path: Path | str) -> dict[str, str]:
    """The texts of the case files that lie beside a folder's policies."""
    return {f"cases/{one.name}": one.read_text("utf-8") for one in sorted(Path(path).glob("cases/*.toml"))}


def starter() -> dict[str, str]:
    """The texts of the case files that come with the package."""
    folder = files("consentry.policy").joinpath("starter", "cases")
    return {f"cases/{one.name}": one.read_text("utf-8") for one in folder.iterdir() if one.name.endswith(".toml")}


def _run_file(policies: PolicySet, file: str, text: str) -> Iterator[Outcome]:
    try:
        content = CaseFile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise PolicyInvalid([Problem("case-syntax", f"not TOML: {error}", file)]) from None
    except ValidationError as error:
        raise PolicyInvalid([Problem("case-form", wrong(error), file)]) from None
    roster = content.roster()
    for case in content.case:
        try:
            judgement = case.judge(policies, roster)
        except ConsentryError as error:
            yield Outcome(file, case.name, None, (Difference("case", "an action that can be stated", str(error)),))
        else:
            yield Outcome(file, case.name, judgement, tuple(_differences(case.expect, judgement)))


def _differences(expect: Expectation, judgement: Judgement) -> Iterator[Difference]:
    for what, wanted, got in _comparisons(expect, judgement):
        if wanted is not None and wanted != got:
            yield Difference(what, wanted, got)


def _comparisons(expect: Expectation, judgement: Judgement) -> Iterator[tuple[str, Json, Json]]:
    told = judgement.obligations
    yield "verdict", expect.verdict, judgement.verdict.value
    yield "reasons", _sorted(expect.reasons), sorted(reason.policy for reason in judgement.reasons)
    yield "expires", _ms(expect.expires), told.expires_ms
    yield "grant_expires", _ms(expect.grant_expires), told.grant_ms
    yield "masks", _sorted(expect.masks), sorted(told.masks)
    yield "level", expect.level, told.level.value
    yield "break_glass", _sorted(expect.break_glass), sorted(told.break_glass or ())
    if expect.stages is not None:
        yield "stages", len(expect.stages), len(told.stages)
        for number, (wanted, stage) in enumerate(zip(expect.stages, told.stages, strict=False), 1):
            yield from _stage(f"stages[{number}].", wanted, stage)
    elif len(told.stages) == 1:
        yield from _stage("", expect, told.stages[0])
    elif expect.reviewers is not None or expect.quorum is not None or expect.assurance is not None:
        yield "stages", 1, len(told.stages)


def _stage(prefix: str, expect: StageForm, stage: Stage) -> Iterator[tuple[str, Json, Json]]:
    yield prefix + "reviewers", _sorted(expect.reviewers), sorted(stage.reviewers)
    yield prefix + "quorum", expect.quorum, stage.quorum
    yield prefix + "assurance", expect.assurance.value if expect.assurance else None, stage.assurance.value


def _sorted(values: list[str] | None) -> Json:
    return None if values is None else sorted(values)


def _ms(text: str | None) -> int | None:
    return None if text is None else duration(text)


def render(outcomes: list[Outcome]) -> str:
    """The outcomes for a person: one line for each case, and under those that failed what differs."""
    lines = []
    for outcome in outcomes:
        lines.append(f"{'ok  ' if outcome.passed else 'FAIL'} {outcome.file}: {outcome.name}")
        for one in outcome.differences:
            lines.append(f"       {one.what}")
            lines.append(f"         - expected {_show(one.expected)}")
            lines.append(f"         + got      {_show(one.got)}")
    failed = sum(not outcome.passed for outcome in outcomes)
    counted = "1 case" if len(outcomes) == 1 else f"{len(outcomes)} cases"
    lines.append(f"{counted}, {failed} failed" if failed else f"{counted}, all as expected")
    return "\n".join(lines)


def _show(value: Json) -> str:
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
