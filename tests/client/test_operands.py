"""Operands: hashed, read once more, used from that reading."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.actions import Operand
from consentry.client.errors import Misused, NotBindable
from consentry.client.operands import pin, take


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@given(st.binary(max_size=4096))
def test_bytes_are_pinned_by_their_sha256(data: bytes) -> None:
    assert pin({"data": data}) == (Operand("data", sha256(data)),)


def test_a_file_is_pinned_by_its_bytes(tmp_path: Path) -> None:
    file = tmp_path / "plan.out"
    file.write_bytes(b"x" * (3 << 20))
    assert pin({"plan": file}) == (Operand("plan", sha256(b"x" * (3 << 20))),)


def test_b1_what_is_opened_is_what_was_hashed_even_if_the_file_changes_after(tmp_path: Path) -> None:
    file = tmp_path / "migrate.sh"
    file.write_bytes(b"echo good")
    taken = take({"script": file})
    file.write_bytes(b"echo evil")
    with taken.open("script") as source:
        assert source.read() == b"echo good"
    copy = taken.write_to("script", tmp_path)
    assert copy.read_bytes() == b"echo good"
    assert copy.name == "migrate.sh"
    taken.close()


def test_b1_a_file_rewritten_in_place_does_not_reach_an_open_reader(tmp_path: Path) -> None:
    file = tmp_path / "data.csv"
    file.write_bytes(b"a" * 100_000)
    taken = take({"data": file})
    with taken.open("data") as source:
        head = source.read(10)
        with file.open("r+b") as writer:
            writer.write(b"b" * 100_000)
        assert head + source.read() == b"a" * 100_000
    taken.close()


def test_readers_of_one_operand_do_not_move_each_other() -> None:
    taken = take({"data": b"0123456789"})
    with taken.open("data") as first, taken.open("data") as second:
        assert first.read(4) == b"0123"
        assert second.read(2) == b"01"
        first.seek(-2, 2)
        assert (first.read(), second.read()) == (b"89", b"23456789")
    taken.close()


def test_a_table_is_pinned_by_its_content() -> None:
    table = pa.table({"id": [1, 2], "email": ["a@example.org", "b@example.org"]})
    same = pa.table({"id": [1, 2], "email": ["a@example.org", "b@example.org"]})
    other = pa.table({"id": [1, 2], "email": ["a@example.org", "c@example.org"]})
    assert pin({"df": table}) == pin({"df": same})
    assert pin({"df": table}) != pin({"df": other})


def test_a_hash_that_the_caller_vouches_for_is_passed_on() -> None:
    known = Operand("snapshot", "ab" * 32)
    assert take({"snapshot": known}).operands == (known,)
    assert pin({"snapshot": lambda: "cd" * 32}) == (Operand("snapshot", "cd" * 32),)


@pytest.mark.parametrize("missing", ["nothing-here", "a-folder"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, missing: str) -> None:
    (tmp_path / "a-folder").mkdir()
    with pytest.raises(NotBindable, match="`plan` cannot be read"):
        pin({"plan": tmp_path / missing})


def test_what_has_no_bytes_cannot_be_opened() -> None:
    taken = take({"snapshot": Operand("snapshot", "ab" * 32), "data": b"x"})
    with pytest.raises(Misused, match="`snapshot` is no operand with bytes here; those are `data`"):
        taken.open("snapshot")
    taken.close()
