"""`consentry scan` and `consentry sanitize`, as a person or a script runs them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.cli.root import run

ROWS = "id,email,note\n1,ada@lovelace-engines.com,fine\n2,grace@navy-yard.mil,call 4111 1111 1111 1111\n"


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(ROWS, "utf-8")
    return path


def test_scan_says_what_and_where_and_changes_nothing(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", str(people), "--no-names", "--json"]) == 0
    out = capsys.readouterr()
    document = json.loads(out.out)
    found = {(one["where"], one["type"]) for one in document["files"][0]["findings"]}
    assert {("email", "EMAIL_ADDRESS"), ("note", "CREDIT_CARD")} <= found
    assert {one["column"]: one["type"] for one in document["files"][0]["columns"]}["email"] == "EMAIL_ADDRESS"
    assert "lovelace" not in out.out + out.err
    assert people.read_text("utf-8") == ROWS


def test_scan_prints_a_table_on_standard_error(people: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["scan", str(people), "--no-names"]) == 0
    out = capsys.readouterr()
    assert out.out == ""
    assert "EMAIL_ADDRESS" in out.err
    assert "lovelace" not in out.err


def test_sanitize_twice_is_once(people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    once, twice = tmp_path / "once.csv", tmp_path / "twice.csv"
    assert run(["sanitize", str(people), str(once), "--profile", "training-data", "--no-names"]) == 0
    assert run(["sanitize", str(once), str(twice), "--profile", "training-data", "--no-names"]) == 0
    text = once.read_text("utf-8")
    assert twice.read_text("utf-8") == text
    assert "lovelace" not in text
    assert "4111" not in text
    assert text.startswith("id,email,note\n1,")


def test_parquet_keeps_its_schema_and_no_old_footer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = tmp_path / "a.parquet", tmp_path / "b.parquet"
    table = pa.table({"email": ["ada@lovelace-engines.com", None], "n": pa.array([1, 2], pa.int16())})
    table = table.replace_schema_metadata({"pandas": '{"attrs": "ada@lovelace-engines.com"}'})
    pq.write_table(table, source)
    report = tmp_path / "report.html"
    assert run(["sanitize", str(source), str(target), "--no-names", "--report", str(report)]) == 0
    assert pq.read_schema(target).equals(table.schema.remove_metadata())
    assert pq.read_table(target).to_pylist() == [{"email": "<EMAIL_ADDRESS>", "n": 1}, {"email": None, "n": 2}]
    assert b"lovelace" not in target.read_bytes()
    assert "lovelace" not in report.read_text("utf-8")


def test_a_folder_is_mirrored_and_what_is_unknown_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in" / "email=ada@lovelace-engines.com"
    source.mkdir(parents=True)
    (source / "a.txt").write_text("mail bob@navy-yard.mil\n", "utf-8")
    (source / "b.gz").write_bytes(b"\x1f\x8b\x08")
    (source / "_metadata").write_bytes(b"PAR1 old statistics")
    assert run(["sanitize", str(tmp_path / "in"), str(tmp_path / "out"), "--no-names"]) == 1
    err = capsys.readouterr().err
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert [path.name for path in written] == ["a.txt"]
    assert "lovelace" not in str(written[0])
    assert written[0].read_text("utf-8") == "mail <EMAIL_ADDRESS>\n"
    assert "gzip" in err
    assert "format_unknown" in err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["sanitize", "{in}", "{in}"], 2),
        (["sanitize", "{in}", "{out}", "--profile", "no-such"], 1),
        (["sanitize", "{in}", "{out}", "--profile", "logs", "--rules", "x.toml"], 2),
        (["sanitize", "{out}", "{in}2"], 2),
        (["scan", "{in}", "--encoding", "utf-16"], 1),
        (["sanitize", "{in}", "{out}", "--key", "in the clear"], 2),
    ],
)
def test_wrong_calls(
    arguments: list[str], code: int, people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [one.format(**{"in": people, "out": tmp_path / "out.csv"}) for one in arguments]
    assert run([*filled, "--no-names"]) == code
    assert people.read_text("utf-8") == ROWS
    assert not (tmp_path / "out.csv").exists()


def test_a_broken_file_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": list(range(1000))}), source)
    source.write_bytes(source.read_bytes()[:-40])
    assert run(["sanitize", str(source), str(tmp_path / "b.parquet"), "--no-names"]) == 1
    assert "cut short" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [source]


def test_a_refusal_is_told_in_its_own_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With names looked for, `Parquet` in our own sentence was taken for a place."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cut.parquet").write_bytes(b"PAR1cut")
    assert run(["scan", str(tmp_path / "in")]) == 1
    assert "is no Parquet" in capsys.readouterr().err.replace("\n", " ")


def test_json_keys_are_no_secrets_for_being_keys(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What stood under our own word `(key)` was taken for the value of a name that promises a secret."""
    document = {f"user_{at}": {f"item_{at * 7919}x": 1} for at in range(200)}
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert run(["sanitize", str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--no-names"]) == 0
    assert json.loads((tmp_path / "b.json").read_text()) == document


def test_a_request_to_end_leaves_nothing_half_written(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lying: list[str] = []

    @contextmanager
    def ended_after_the_first_part(total: int) -> Iterator[tuple[Callable[[int], None], Callable[[object], None]]]:
        def advance(count: int) -> None:
            lying.extend(path.name for path in people.parent.iterdir() if path.suffix == ".part")
            os.kill(os.getpid(), signal.SIGTERM)

        yield advance, lambda _: None

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("consentry.cli.sanitize._progress", ended_after_the_first_part)
    assert run(["sanitize", str(people), str(people.parent / "out.csv"), "--no-names"]) == 130
    assert len(lying) == 1
    assert list(people.parent.iterdir()) == [people]
    assert signal.getsignal(signal.SIGTERM) is before
