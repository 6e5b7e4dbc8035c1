"""CSV: cells change, the writing does not."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize.files.delimited import read_cells
from consentry.sanitize.files.problems import FileUnreadable

Run = Callable[..., object]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id,email\n1,ada@x.org\n2,\n", "id,email\n1,<EMAIL_ADDRESS>\n2,\n"),
        ('id;note\r\n1;"a ""q"" ada@x.org"\r\n', 'id;note\r\n1;"a ""q"" <EMAIL_ADDRESS>"\r\n'),
        ('id,note\n1,"two\nlines, ada@x.org"\n2,"x"\n', 'id,note\n1,"two\nlines, <EMAIL_ADDRESS>"\n2,"x"\n'),
        ("# by ada@x.org\nid,v\n1,2\n", "# by <EMAIL_ADDRESS>\nid,v\n1,2\n"),
        ("id,v\n1,2,ada@x.org\n3\n", "id,v\n1,2,<EMAIL_ADDRESS>\n3\n"),
        ("first_name,v\nAda,1\nGrace,2\n", "first_name,v\n<PERSON>,1\n<PERSON>,2\n"),
        ("1,ada@x.org\n2,bob@x.org\n", "1,<EMAIL_ADDRESS>\n2,<EMAIL_ADDRESS>\n"),
        ("\ufeffemail,v\nada@x.org,1\n", "\ufeffemail,v\n<EMAIL_ADDRESS>,1\n"),
        ("", ""),
        ("a\n", "a\n"),
    ],
)
def test_cells_change_and_writing_stays(text: str, expected: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    run(tmp_path / "a.csv", tmp_path / "b.csv")
    assert (tmp_path / "b.csv").read_bytes().decode() == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('id,v\n1,"open\n2,x\n', "line 2"),
        ('id,v\n1,a"b\n', "line 2"),
        ('id,v\n1,"a"b\n', "line 2"),
        ("id,v\n1,\xff\n", "line 2, byte 7"),
    ],
)
def test_broken_quoting_names_the_line(text: str, place: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(FileUnreadable, match=place):
        run(tmp_path / "a.csv", tmp_path / "b.csv")
    assert not (tmp_path / "b.csv").exists()


_cells = st.text(alphabet='ab1",;\n\r\té ', max_size=6)


@given(st.lists(st.lists(_cells, min_size=2, max_size=4), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]))
def test_fields_are_those_of_the_standard_library(rows: list[list[str]], end: str) -> None:
    if any(row[0].startswith("#") for row in rows):
        return
    sink = io.StringIO()
    csv.writer(sink, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    text = sink.getvalue()
    cells = read_cells(text, ",", Path("x.csv"), 1)
    assert [cell.value for cell in cells] == [value for row in rows for value in row]
    assert [cell.row for cell in cells] == [at for at, row in enumerate(rows) for _ in row]


def test_records_are_never_cut(tmp_path: Path, run: Run) -> None:
    rows = ["id,note"] + [f'{i},"line one of {i}\nline ""two"" ada{i}@x.org {"pad " * 100}"' for i in range(15_000)]
    (tmp_path / "a.csv").write_text("\n".join(rows) + "\n", "utf-8")
    run(tmp_path / "a.csv", tmp_path / "b.csv")
    out = (tmp_path / "b.csv").read_text("utf-8")
    assert "@x.org" not in out
    assert len(list(csv.reader(io.StringIO(out), strict=True))) == 15_001
