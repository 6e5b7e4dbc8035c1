"""The demo tells its story on a real server and leaves what it says it leaves."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from consentry.cli.root import run
from consentry.demo.records import COLUMNS, ROWS, make_csv

WORDS = ["consentry", "demo", "--auto"]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """The demo, run once as a program of its own."""
    out = tmp_path_factory.mktemp("demo") / "out"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    command = [sys.executable, "-m", *WORDS, "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return out, done


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_story_is_told_in_order(told: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    _, done = told
    story = " ".join(done.stdout.split())
    wanted = (
        "and is paused",
        "signed off by a data steward",
        "own or hold the token of an agent in it",
        "(not_eligible)",
        "(not_allowed)",
        "The request is approved",
        "(already_claimed)",
        "valid receipt.json",
        "tampered receipt-tampered.json",
    )
    places = [story.find(part) for part in wanted]
    assert -1 not in places
    assert places == sorted(places)
    assert done.stderr == ""


def test_no_personal_value_leaves(told: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = told
    inside, outside = rows(folder / "customers.csv"), rows(folder / "customers-sanitized.csv")
    assert len(outside) == len(inside) == ROWS
    out_text = (folder / "customers-sanitized.csv").read_text("utf-8")
    for column in COLUMNS:
        leaked = {row[column] for row in inside if row[column] in out_text}
        assert not leaked, column
    assert [row["plan"] for row in outside] == [row["plan"] for row in inside]


def test_no_personal_value_is_in_the_log_or_the_receipt(
    told: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, _ = told
    kept = b"".join(
        path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("customers.csv", "customers-sanitized.csv")
    )
    values = {row[column] for row in rows(folder / "customers.csv") for column in ("name", "email", "phone", "street")}
    assert not [value for value in values if value.encode() in kept]


@pytest.mark.parametrize(("file", "code"), [("receipt.json", 0), ("receipt-tampered.json", 5)])
def test_what_it_leaves_verifies_as_it_says(
    told: tuple[Path, subprocess.CompletedProcess[str]], file: str, code: int
) -> None:
    folder, _ = told
    assert run(["verify", str(folder / file), "--key", str(folder / "ledger.vkey")]) == code
    assert run(["verify", str(folder / file)]) == (6 if code == 0 else 5)


def test_the_whole_log_of_the_demo_verifies(
    told: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder, _ = told
    settings = ["--data", str(folder / "data"), "--config", str(folder / "consentry.toml")]
    assert run(["ledger", "export", str(tmp_path / "log.tar"), *settings]) == 0
    assert run(["verify", str(tmp_path / "log.tar"), "--key", str(folder / "ledger.vkey")]) == 0
    assert run(["doctor", *settings]) == 0


def test_it_does_not_write_over_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo", "--auto", "--out", str(tmp_path)]) == 2
    assert "exists" in capsys.readouterr().err


def test_the_people_are_invented_and_always_the_same() -> None:
    assert make_csv() == make_csv()
    table = list(csv.DictReader(make_csv().decode().splitlines()))
    assert all(row["email"].endswith("@example.org") for row in table)
    assert all(row["phone"].startswith("+1 202 555 01") for row in table)
    assert len({row["email"] for row in table}) == ROWS
