"""Text in parts: nothing is missed where it is cut."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.errors import InvalidInput
from consentry.sanitize.files import text as text_module
from consentry.sanitize.files.cleaner import Cleaner
from consentry.sanitize.files.problems import FormatUnknown, OutputFailed

Run = Callable[..., object]
KEY = "-----BEGIN KEY-----\n" + "abc\n" * 50 + "-----END KEY-----"


@pytest.mark.parametrize("size", [40_000, 65_536, 100_003])
def test_f5_nothing_is_missed_at_part_borders(size: int, tmp_path: Path, cleaner: Cleaner) -> None:
    body = "".join(f"row {i} mail ada{i}@x.org\n{KEY if i % 40 == 0 else ''}\n" for i in range(4_000))
    path = tmp_path / "a.txt"
    path.write_text(body, "utf-8")
    parts = list(text_module.text_parts(path, cleaner, "utf-8", size=size))
    assert len(parts) > 1
    out = b"".join(text_module.clean_part(part, cleaner, path, "utf-8") for part in parts).decode()
    assert "@x.org" not in out
    assert "BEGIN" not in out
    assert out.count("<EMAIL_ADDRESS>") == 4_000
    assert out.count("<SECRET>") == 100


def test_one_long_line_is_cut_between_findings(tmp_path: Path, run: Run) -> None:
    body = "x" * 9_999 + " ada@x.org " + "é, " * 1_500_000 + "bob@x.org"
    (tmp_path / "a.txt").write_text(body, "utf-8")
    run(tmp_path / "a.txt", tmp_path / "b.txt")
    out = (tmp_path / "b.txt").read_text("utf-8")
    assert "ada@" not in out
    assert out.count("<EMAIL_ADDRESS>") == 2


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"ok\nbad \xe9 byte\n", "line 2, byte 7"),
        ("wide".encode("utf-16"), "UTF-16"),
        (b"a\0b", "binary"),
    ],
)
def test_undecodable_bytes_name_the_place(data: bytes, place: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(InvalidInput, match=place):
        run(tmp_path / "a.txt", tmp_path / "b.txt")
    assert not (tmp_path / "b.txt").exists()


def test_latin1_is_a_lossless_way_through(tmp_path: Path, run: Run) -> None:
    data = bytes(range(1, 256)) + b" ada@x.org "
    (tmp_path / "a.txt").write_bytes(data)
    run(tmp_path / "a.txt", tmp_path / "b.txt", encoding="latin-1")
    assert (tmp_path / "b.txt").read_bytes() == data.replace(b"ada@x.org", b"<EMAIL_ADDRESS>")


@pytest.mark.parametrize("name", ["a.txt", "a.parquet"])
def test_a_disk_that_is_full_is_told_and_leaves_nothing(name: str, tmp_path: Path, run: Run) -> None:
    """A limit on the size of files stands for the disk: the system refuses to write on."""
    if name == "a.txt":
        (tmp_path / name).write_text("write ada@lovelace.org " * 100_000)
    else:
        noise = [hashlib.sha256(str(at).encode()).hexdigest() for at in range(50_000)]
        pq.write_table(pa.table({"x": noise}), tmp_path / name)
    (tmp_path / "out").mkdir()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, old[1]))
    try:
        with pytest.raises(OutputFailed, match="cannot be written: File too large; nothing of it stays"):
            run(tmp_path / name, tmp_path / "out" / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_output_below_a_file_is_told(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "b").write_text("x")
    with pytest.raises(OutputFailed, match="cannot be written"):
        run(tmp_path / "a.txt", tmp_path / "b" / "c.txt")


def test_a_name_as_long_as_names_may_be(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.txt").write_text("x")
    run(tmp_path / "a.txt", tmp_path / ("b" * 250))
    assert (tmp_path / ("b" * 250)).read_text() == "x"


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, run: Run) -> None:
    os.mkfifo(tmp_path / "p")
    with pytest.raises(FormatUnknown, match="is a pipe or device"):
        run(tmp_path / "p", tmp_path / "out")
