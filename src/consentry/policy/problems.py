"""What can be wrong with a policy set, said so that its author can mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from consentry.actions import Json
from consentry.errors import InvalidInput


class Severity(StrEnum):
    """An error refuses the policy set; a warning tells of something that will bite later."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a stable `code`, where, and what to do about it in `text`.

    `line` is where the policy begins in its file, counted from 1; for a syntax error, where the text stops being Cedar.
    """

    code: str
    text: str
    file: str | None = None
    policy: str | None = None
    line: int | None = None
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        place = self.file or ""
        if self.file and self.line is not None:
            place += f":{self.line}"
        if self.policy:
            place += f" `{self.policy}`" if place else f"`{self.policy}`"
        return f"{place.strip()}: {self.text} [{self.code}]" if place else f"{self.text} [{self.code}]"

    def to_json(self) -> dict[str, Json]:
        return {
            "code": self.code,
            "severity": self.severity.value,
            "file": self.file,
            "policy": self.policy,
            "line": self.line,
            "text": self.text,
        }


class PolicyInvalid(InvalidInput):
    """The policy set was not loaded; `problems` holds everything that is wrong with it."""

    code = "policy_invalid"

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))
