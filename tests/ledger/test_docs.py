"""The page about the ledger says what the code does: every entry type, field and finding."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from consentry.ledger.entry_types import ENTRY_TYPES, FIELDS, EntryType

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "ledger.md").read_text()
SOURCES = ("audit.py", "rules.py", "passkey_rules.py", "verify.py")


def _row(row: EntryType) -> str:
    required, optional = (", ".join(f"`{n}`" for n in sorted(s)) or "none" for s in (row.required, row.optional))
    return f"| `{row.name}` | {row.meaning} | {required} | {optional} |"


@pytest.mark.parametrize("name", ENTRY_TYPES)
def test_each_entry_type_is_documented_as_it_is(name: str) -> None:
    assert _row(ENTRY_TYPES[name]) in PAGE.splitlines()


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_is_documented_as_it_is(name: str) -> None:
    assert f"| `{name}` | {FIELDS[name].value.replace('|', 'or')} |" in PAGE.splitlines()


def test_nothing_is_documented_that_is_not_there() -> None:
    assert {line.split("`")[1] for line in PAGE.splitlines() if re.match(r"\| `[a-z]+\.[a-z_]+` \|", line)} == set(
        ENTRY_TYPES
    )


def test_each_finding_is_documented_and_each_documented_finding_exists() -> None:
    source = "".join((ROOT / "src" / "consentry" / "ledger" / name).read_text() for name in SOURCES)
    raised = set(re.findall(r'(?:tampered|unverifiable|_broken|_absent|Broken)\(\s*(?:code or )?"([a-z_]+)"', source))
    raised |= {"key_out_of_range"}
    section = PAGE.split("Each finding has a stable code")[1].split("## Keys")[0].split("|---|---|---|")[1]
    documented = {code for line in section.splitlines() if line.startswith("|") for code in _codes(line)}
    assert documented == raised


def _codes(line: str) -> list[str]:
    return re.findall(r"`([a-z_]+)`", line.split(" | ")[0])
