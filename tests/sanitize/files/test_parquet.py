"""Parquet and Arrow files: rewritten whole, or refused with the place."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consentry.errors import ConsentryError
from consentry.sanitize.files import parquet
from consentry.sanitize.files.problems import FileUnreadable, OutputFailed, OutputInUse
from consentry.sanitize.files.run import Job, run_tree

Run = Callable[..., object]
TABLE = pa.table(
    {
        "note": ["write ada@lovelace.org", "plain", None] * 400,
        "first_name": ["Ada", "Grace", "Ada"] * 400,
        "kind": pa.array(["a", "b", "a"] * 400).dictionary_encode(),
        "n": list(range(1200)),
    }
)


def test_row_groups_codec_and_types_stay(tmp_path: Path, run: Run) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=500, compression="zstd")
    run(tmp_path / "a.parquet", tmp_path / "b.parquet")
    old, new = pq.ParquetFile(tmp_path / "a.parquet"), pq.ParquetFile(tmp_path / "b.parquet")
    sizes = [new.metadata.row_group(at).num_rows for at in range(new.num_row_groups)]
    assert sizes == [old.metadata.row_group(at).num_rows for at in range(old.num_row_groups)]
    assert new.metadata.row_group(0).column(0).compression == "ZSTD"
    assert new.schema_arrow.equals(old.schema_arrow.remove_metadata())
    assert new.read().column("n").equals(TABLE.column("n"))


def test_f1_f2_no_byte_of_the_old_values_is_left(tmp_path: Path, run: Run) -> None:
    table = TABLE.replace_schema_metadata({"huggingface": "ada@lovelace.org", "k": "ada@lovelace.org"})
    pq.write_table(table, tmp_path / "a.parquet", write_page_index=True, compression="none")
    assert b"lovelace" in (tmp_path / "a.parquet").read_bytes()
    run(tmp_path / "a.parquet", tmp_path / "b.parquet")
    data = (tmp_path / "b.parquet").read_bytes()
    assert b"lovelace" not in data
    assert b"Grace" not in data
    footer = pq.read_metadata(tmp_path / "b.parquet")
    assert set(footer.metadata or {}) <= {b"ARROW:schema"}
    statistics = footer.row_group(0).column(1).statistics
    assert statistics.min == statistics.max == "<PERSON>"


@pytest.mark.parametrize("stream", [False, True], ids=["file", "stream"])
def test_ipc_of_both_kinds(stream: bool, tmp_path: Path, run: Run) -> None:
    source, target = tmp_path / "a.arrow", tmp_path / "b.arrow"
    make = pa.ipc.new_stream if stream else pa.ipc.new_file
    with make(source, TABLE.schema) as writer:
        writer.write_table(TABLE, max_chunksize=500)
    run(source, target)
    read = pa.ipc.open_stream if stream else pa.ipc.open_file
    out = read(target).read_all()
    out.validate(full=True)
    assert out.schema.equals(TABLE.schema)
    assert b"lovelace" not in target.read_bytes()
    assert out.column("kind").to_pylist() == TABLE.column("kind").to_pylist()


@pytest.mark.parametrize("cut", [9, 100, 1000, -8, -1])
@pytest.mark.parametrize("kind", ["parquet", "file", "stream"])
def test_cut_files_are_refused_with_the_place(kind: str, cut: int, tmp_path: Path, run: Run) -> None:
    source = tmp_path / "a.bin"
    if kind == "parquet":
        pq.write_table(TABLE, source)
    else:
        with (pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file)(source, TABLE.schema) as writer:
            writer.write_table(TABLE)
    path = tmp_path / ("a.parquet" if kind == "parquet" else "a.arrow")
    path.write_bytes(source.read_bytes()[:cut])
    with pytest.raises(FileUnreadable, match=r"`.*a\.(parquet|arrow)`, "):
        run(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_damaged_pages_name_the_row_group(tmp_path: Path, run: Run) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=500, compression="gzip")
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[60:400] = bytes(340)
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(FileUnreadable, match="row group 0"):
        run(tmp_path / "a.parquet", tmp_path / "b.parquet")


def test_no_rows_and_no_row_groups(tmp_path: Path, run: Run) -> None:
    pq.write_table(TABLE.slice(0, 0), tmp_path / "a.parquet")
    run(tmp_path / "a.parquet", tmp_path / "b.parquet")
    assert pq.read_table(tmp_path / "b.parquet").schema.equals(TABLE.schema)


def test_the_output_appears_only_when_complete(
    tmp_path: Path, job: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.txt").write_text("ada@lovelace.org", "utf-8")
    seen: list[tuple[str, int]] = []

    def replace(source: str, target: Path) -> None:
        seen.append((str(source), os.stat(source).st_size))
        assert not target.exists()
        raise OSError(13, "no")

    monkeypatch.setattr("consentry.sanitize.files.atomic.os.replace", replace)
    with pytest.raises(OutputFailed, match="cannot be written: no;"):
        run_tree(tmp_path / "a.txt", tmp_path / "b.txt", job())
    assert seen
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt"]


def test_input_and_output_may_not_be_one(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a.txt").write_text("x", "utf-8")
    (tmp_path / "l.txt").symlink_to(tmp_path / "a.txt")
    for target in ("a.txt", "l.txt"):
        with pytest.raises(OutputInUse):
            run(tmp_path / "a.txt", tmp_path / target)


def test_a_failing_detector_fails_the_file(tmp_path: Path, job: Callable[..., Job]) -> None:
    from consentry.sanitize.engine import Engine
    from consentry.sanitize.files.cleaner import Engines

    class Broken:
        name = "broken"
        types = frozenset({"PERSON"})

        def scan(self, text: str, context: object) -> list[object]:
            raise RuntimeError("ada@lovelace.org")

    (tmp_path / "a.txt").write_text("ada@lovelace.org", "utf-8")
    engine = Engine([Broken()])  # type: ignore[list-item]
    broken = job(engines=None)
    with pytest.raises(ConsentryError, match="broken") as caught:
        run_tree(
            tmp_path / "a.txt",
            tmp_path / "b.txt",
            Job(broken.profile, keys=broken.keys, engines=lambda _: Engines(engine, engine)),
        )
    assert "lovelace" not in str(caught.value)
    assert not (tmp_path / "b.txt").exists()


class Short:
    """A reader that ends before the rows that the footer promises, as some do where columns differ in length."""

    def __init__(self, file: pq.ParquetFile) -> None:
        self.metadata, self.num_row_groups, self._file = file.metadata, file.num_row_groups, file

    def iter_batches(self, size: int, groups: list[int]) -> Iterator[pa.RecordBatch]:
        for batch in self._file.iter_batches(size, groups):
            yield batch.slice(0, batch.num_rows - 1)


def test_f1_rows_that_the_reader_leaves_out_are_not_lost_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(TABLE, path, row_group_size=500)
    with pytest.raises(FileUnreadable, match="row group 0: 499 of 500 rows"):
        list(parquet.batches(Short(pq.ParquetFile(path)), path))  # type: ignore[arg-type]


def test_a_file_whose_columns_differ_in_length_is_refused(tmp_path: Path, run: Run) -> None:
    path = Path(__file__).parents[4] / "shared/bench/pipeline/parquet-testing/bad_data/ARROW-GH-41317.parquet"
    if not path.exists():
        pytest.skip("the benchmark data (shared/bench/pipeline) is not on this machine")
    with pytest.raises(FileUnreadable, match="row group 0"):
        run(path, tmp_path / "b.parquet")
    assert not (tmp_path / "b.parquet").exists()


def test_one_two_and_three_workers_give_the_same_bytes(tmp_path: Path, run: Run) -> None:
    """One after the other, in threads side by side, and in processes."""
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=150)
    made = []
    for workers in (1, 2, 3):
        run(tmp_path / "a.parquet", tmp_path / f"{workers}.parquet", "logs", workers=workers)
        made.append((tmp_path / f"{workers}.parquet").read_bytes())
    assert made[1:] == made[:1] * 2
    assert b"lovelace" not in made[0]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_damaged_page_is_refused_by_any_number_of_workers(tmp_path: Path, run: Run, workers: int) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=150, compression="none", write_page_checksum=True)
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(FileUnreadable, match="row group"):
        run(tmp_path / "a.parquet", tmp_path / "b.parquet", workers=workers)
    assert not (tmp_path / "b.parquet").exists()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_required_number_may_give_way_to_null_in_a_later_row_group(tmp_path: Path, run: Run, workers: int) -> None:
    """The first batch decided whether nulls were allowed, and a card in the second broke the run."""
    kind = pa.struct([pa.field("n", pa.int64(), nullable=False), pa.field("s", pa.string(), nullable=False)])
    schema = pa.schema(
        [
            pa.field("n", pa.int64(), nullable=False),
            pa.field("id", pa.int32(), nullable=False),
            pa.field("in", kind, nullable=False),
            pa.field("of", pa.list_(pa.field("element", pa.int64(), nullable=False)), nullable=False),
        ]
    )
    with pq.ParquetWriter(tmp_path / "a.parquet", schema) as writer:
        for n in (1, 2, 3, 4111111111111111, 5, 6):
            row = {"n": n, "id": 1, "in": {"n": n, "s": "x"}, "of": [n]}
            writer.write_table(pa.Table.from_pylist([row], schema))
    run(tmp_path / "a.parquet", tmp_path / "b.parquet", workers=workers)
    out = pq.read_table(tmp_path / "b.parquet")
    assert out.column("n").to_pylist() == [1, 2, 3, None, 5, 6]
    assert [one["n"] for one in out.column("in").to_pylist()] == [1, 2, 3, None, 5, 6]
    assert out.column("of").to_pylist()[3] == [None]
    assert out.schema.field("n").nullable
    assert not out.schema.field("id").nullable
    assert not out.schema.field("in").type.field("s").nullable
