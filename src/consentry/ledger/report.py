"""What a verification answers: an outcome, what was found where, and what was checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """`valid`, `tampered` (something was changed), or `unverifiable` (something needed is missing)."""

    VALID = "valid"
    TAMPERED = "tampered"
    UNVERIFIABLE = "unverifiable"


_EXIT = {Outcome.VALID: 0, Outcome.TAMPERED: 5, Outcome.UNVERIFIABLE: 6}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that does not hold. `code` is stable; `where` names an entry, a tile path or a checkpoint."""

    outcome: Outcome
    code: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """The answer of a verification. It is valid only where everything was checked and nothing was found."""

    subject: str
    origin: str
    size: int
    findings: tuple[Finding, ...]
    entries: int = 0
    checkpoints: int = 0
    tiles: int = 0
    disclosures: int = 0
    rules: bool = False
    """Whether the entries' grammar and meaning were checked, beside the tree."""

    @property
    def outcome(self) -> Outcome:
        """Tampered beats unverifiable beats valid; a check that saw no checkpoint cannot be valid."""
        found = {finding.outcome for finding in self.findings}
        if Outcome.TAMPERED in found:
            return Outcome.TAMPERED
        return Outcome.UNVERIFIABLE if found or not self.checkpoints else Outcome.VALID

    @property
    def exit_code(self) -> int:
        """What the command exits with: 0 valid, 5 tampered, 6 unverifiable."""
        return _EXIT[self.outcome]

    def to_json(self) -> dict[str, object]:
        """One JSON document."""
        return {
            "outcome": self.outcome.value,
            "subject": self.subject,
            "origin": self.origin,
            "size": self.size,
            "findings": [
                {"outcome": f.outcome.value, "code": f.code, "where": f.where, "message": f.message}
                for f in self.findings
            ],
            "checked": {
                "entries": self.entries,
                "checkpoints": self.checkpoints,
                "tiles": self.tiles,
                "disclosures": self.disclosures,
                "rules": self.rules,
            },
        }


def tampered(code: str, where: str, message: str) -> Finding:
    """Something was changed."""
    return Finding(Outcome.TAMPERED, code, where, message)


def unverifiable(code: str, where: str, message: str) -> Finding:
    """Something needed is missing."""
    return Finding(Outcome.UNVERIFIABLE, code, where, message)
