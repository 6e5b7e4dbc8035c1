"""JSON: every key, string and number is looked at, and what does not change stays byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize import profiles
from consentry.sanitize.files.cleaner import Cleaner
from consentry.sanitize.files.json_lines import clean_document
from consentry.sanitize.files.json_tokens import JsonBroken, leaves
from consentry.sanitize.files.problems import FileUnreadable
from consentry.sanitize.files.tally import FileReport

Run = Callable[..., FileReport]


def write(tmp_path: Path, name: str, text: str) -> Path:
    path = tmp_path / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"a": 1.10, "b": "\\u0041", "a": 1E+02}', '{"a": 1.10, "b": "\\u0041", "a": 1E+02}'),
        ('{"m":"ada\\u0040x.org" , "n": 1.0}', '{"m":"<EMAIL_ADDRESS>" , "n": 1.0}'),
        ('{"a":"ada@x.org","a":"bob@x.org"}', '{"a":"<EMAIL_ADDRESS>","a":"<EMAIL_ADDRESS>"}'),
        ('{"ada@x.org": {"n": [1, "bob@x.org"]}}', '{"<EMAIL_ADDRESS>": {"n": [1, "<EMAIL_ADDRESS>"]}}'),
        ('{"n": 4111111111111111}', '{"n": "<CREDIT_CARD>"}'),
        ('{"first_name": "Ada", "x": "Ada"}', '{"first_name": "<PERSON>", "x": "Ada"}'),
        ('["\\ud800 ada@x.org"]', '["\\ud800 <EMAIL_ADDRESS>"]'),
        ('"ada@x.org"', '"<EMAIL_ADDRESS>"'),
        ("  [ ]  ", "  [ ]  "),
    ],
)
def test_lines(line: str, expected: str, tmp_path: Path, run: Run) -> None:
    source = write(tmp_path, "a.jsonl", line + "\n\n" + line + "\r\n")
    run(source, tmp_path / "b.jsonl")
    got = (tmp_path / "b.jsonl").read_bytes().decode()
    if "\\ud800" in line:
        got = got.replace("\ufffd", "\\ud800")
    assert got == expected + "\n\n" + expected + "\r\n"
    document = write(tmp_path, "a.json", line)
    run(document, tmp_path / "b.json")
    assert (tmp_path / "b.json").read_text("utf-8").replace("\ufffd", "\\ud800") == expected


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ('{"a": 1}\n{"a": NaN}', 2, 7),
        ('{"a": 1}\n{"a": 1,}', 2, None),
        ('{"a": 01}', 1, None),
        ('{"a": "x', 1, 7),
        ('{"a": 1} {"b": 2}', 1, 10),
        ("{'a': 1}", 1, 2),
        ('["a" "b"]', 1, None),
        ('{"a": "\t"}', 1, None),
        ("[" * 100_000, 1, None),
    ],
)
def test_broken_json_names_the_place(text: str, line: int, column: int | None, tmp_path: Path, run: Run) -> None:
    source = write(tmp_path, "a.jsonl", text)
    with pytest.raises(FileUnreadable, match=f"line {line}") as caught:
        run(source, tmp_path / "b.jsonl")
    assert column is None or f"column {column}" in str(caught.value)
    assert list(tmp_path.iterdir()) == [source]


def test_bytes_that_are_not_utf8_name_the_place(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n{"a": "\xff"}\n')
    with pytest.raises(FileUnreadable, match="line 2, byte 16"):
        run(tmp_path / "a.jsonl", tmp_path / "b.jsonl")
    report = run(tmp_path / "a.jsonl", tmp_path / "b.jsonl", encoding="latin-1")
    assert report is not None
    assert (tmp_path / "b.jsonl").read_bytes() == b'{"a": 1}\n{"a": "\xff"}\n'


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(-1e6, 1e6) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(values, st.booleans(), st.sampled_from([None, 2]))
def test_clean_documents_stay_byte_for_byte(
    make_cleaner: Callable[..., Cleaner], value: object, ascii_only: bool, indent: int | None
) -> None:
    cleaner = make_cleaner(profiles.parse("tables = false", "t"))
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert clean_document(text, cleaner, Path("x.json"))[0] == text


@given(st.text(alphabet='{}[],:"\\ \n0123456789.eE+-truefalsn\u00e9', max_size=30))
def test_the_reader_agrees_with_the_standard_library(text: str) -> None:
    def refuse(name: str) -> object:
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=refuse)
        valid = True
    except (ValueError, RecursionError):
        valid = False
    try:
        found = list(leaves(text))
    except JsonBroken:
        found = None
    assert (found is not None) == valid


def test_workers_give_the_same_bytes(tmp_path: Path, run: Run) -> None:
    text = "".join(json.dumps({"i": i, "m": f"user{i}@x.org", "t": "pad " * 200}) + "\n" for i in range(12_000))
    source = write(tmp_path, "a.jsonl", text)
    two = run(source, tmp_path / "two.jsonl", "logs", workers=2)
    three = run(source, tmp_path / "three.jsonl", "logs", workers=3)
    assert (tmp_path / "two.jsonl").read_bytes() == (tmp_path / "three.jsonl").read_bytes()
    assert b"@x.org" not in (tmp_path / "two.jsonl").read_bytes()
    assert two.tally.by_type() == three.tally.by_type()
