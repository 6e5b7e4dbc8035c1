"""Values in forms in which they once came through: in names, in numbers with a fraction, among codes, in UTF-16."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from consentry.sanitize.files.arrow import clean_batch
from consentry.sanitize.files.cleaner import Cleaner, ColumnPlan, without_fraction
from consentry.sanitize.files.problems import FileUnreadable
from consentry.sanitize.files.run import Job, run_tree

Run = Callable[..., object]


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("ada@lovelace.org.csv", "<EMAIL_ADDRESS>.csv"),
        ("ada@lovelace.org", "<EMAIL_ADDRESS>"),
        ("Ada Lovelace.txt", "<PERSON>.txt"),
        ("plain.txt", "plain.txt"),
        ("2024-03.backup.csv", "2024-03.backup.csv"),
    ],
)
def test_f2_names_of_files_are_sanitized_without_their_ending(
    name: str, clean: str, tmp_path: Path, job: Callable[..., Job]
) -> None:
    (tmp_path / "in" / "email=bob@lovelace.org").mkdir(parents=True)
    (tmp_path / "in" / "email=bob@lovelace.org" / name).write_text("a,b\n1,2\n")
    done, refused = run_tree(tmp_path / "in", tmp_path / "out", job())
    assert not refused
    assert len(done) == 1
    found = [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert found == [f"email=<EMAIL_ADDRESS>/{clean}"]


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl", "a.json"])
def test_f5_a_passage_of_utf16_is_refused_wherever_it_stands(name: str, tmp_path: Path, run: Run) -> None:
    source = tmp_path / name
    source.write_bytes(b'"line"\n' * 20_000 + "ada@lovelace.org".encode("utf-16-le") + b"\n")
    with pytest.raises(FileUnreadable, match="a NUL byte") as refused:
        run(source, tmp_path / "out")
    assert "line 20001" in str(refused.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("4111111111111111.0", "4111111111111111"),
        ("-4111111111111111.00", "-4111111111111111"),
        ("4.111111111111111e15", "4111111111111111"),
        ("4.111111111111111E+15", "4111111111111111"),
        ("536904399.0", "536904399"),
        ("1.5", "1.5"),
        ("12345.0", "12345.0"),
        ("4111111111111111.5", "4111111111111111.5"),
        ("4.1111e2", "4.1111e2"),
        ("1.2345e999", "1.2345e999"),
        ("1.2345e99", "1.2345e99"),
        ("10.20.30.0", "10.20.30.0"),
        ("see 4111111111111111.0", "see 4111111111111111.0"),
    ],
)
def test_a_fraction_that_is_none_is_not_seen(written: str, meant: str) -> None:
    assert without_fraction(written) == meant


@pytest.mark.parametrize("number", ["4111111111111111.0", "4.111111111111111e15", "4111111111111111"])
def test_f5_numbers_with_a_fraction_are_found_in_every_format(number: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.csv").write_text(f"n,m\n1.0,{number}\n2.5,7\n")
    (tmp_path / "a.jsonl").write_text(f'{{"n":1.0,"m":{number}}}\n')
    (tmp_path / "a.json").write_text(f'{{"n":1.0,"m":{number}}}')
    for name in ("a.csv", "a.jsonl", "a.json"):
        run(tmp_path / name, tmp_path / "out" / name)
    assert (tmp_path / "out" / "a.csv").read_text() == "n,m\n1.0,<CREDIT_CARD>\n2.5,7\n"
    assert (tmp_path / "out" / "a.jsonl").read_text() == '{"n":1.0,"m":"<CREDIT_CARD>"}\n'
    assert (tmp_path / "out" / "a.json").read_text() == '{"n":1.0,"m":"<CREDIT_CARD>"}'


def test_one_value_has_one_stand_in_with_and_without_a_fraction(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.csv").write_text("ssn\n" + "536904399.0\n" * 5)
    (tmp_path / "a.jsonl").write_text('{"ssn":536904399}\n' * 5)
    for name in ("a.csv", "a.jsonl"):
        run(tmp_path / name, tmp_path / "out" / name, profile="\n[default]\ntransform = 'hash'")
    [mark] = set((tmp_path / "out" / "a.csv").read_text().split()[1:])
    assert mark.startswith("<US_SSN#")
    assert {json.loads(line)["ssn"] for line in (tmp_path / "out" / "a.jsonl").read_text().splitlines()} == {mark}


def test_names_among_codes_are_found(cleaner: Cleaner) -> None:
    """A column whose sampled values were all of one word goes without names; values of several words do not."""
    codes = ColumnPlan("scan", None, names=False)
    without = Cleaner(type(cleaner.engines)(cleaner.engines.full, _Blind()), cleaner.plan, cleaner.profile)
    values = ["A1", "Ada Lovelace", "B2 ", "Ada Lovelace"] + [f"C{at}" for at in range(40)]
    assert without.cells(values, "code", codes)[:4] == ["A1", "<PERSON>", "B2 ", "<PERSON>"]
    assert without.take_tally().by_type() == {"PERSON": 2}
    batch = pa.record_batch({"code": values})
    out = clean_batch(batch, without, {"code": codes}).column(0).to_pylist()
    assert out[:4] == ["A1", "<PERSON>", "B2 ", "<PERSON>"]
    assert out[4:] == values[4:]


class _Blind:
    """An engine that sees nothing, as the one without names does with names."""

    types = frozenset[str]()
    min_score = 0.5

    def scan(self, text: str, context: object = None) -> list[object]:
        return []

    def scan_many(self, texts: list[str], contexts: object = None) -> list[list[object]]:
        return [[] for _ in texts]


def test_comments_stay_lines_of_their_own(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.csv").write_text('# by ada@lovelace.org, "so\nn,m\n1,2\n')
    run(tmp_path / "a.csv", tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_text() == '# by <EMAIL_ADDRESS>, "so\nn,m\n1,2\n'
