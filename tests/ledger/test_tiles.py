"""Tiles and entry bundles: paths, growth in any steps, and proofs read out of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.ledger import merkle
from consentry.ledger.errors import TileInvalid, TileMissing
from consentry.ledger.merkle import Frontier, leaf_hash
from consentry.ledger.tiles import (
    DirectoryReader,
    Edge,
    MappingReader,
    TileName,
    TileNodes,
    bundles_of,
    decode_bundle,
    encode_bundle,
    entries_path,
    tile_path,
    tile_tree,
    tiles_of,
)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (TileName(0, 0), "tile/0/000"),
        (TileName(0, 0, 7), "tile/0/000.p/7"),
        (TileName(63, 999), "tile/63/999"),
        (TileName(1, 1000), "tile/1/x001/000"),
        (TileName(0, 1234067), "tile/0/x001/x234/067"),
        (TileName(None, 1234067, 255), "tile/entries/x001/x234/067.p/255"),
    ],
)
def test_paths(name: TileName, path: str) -> None:
    assert name.path == path
    assert TileName.parse(path) == name


def test_path_helpers() -> None:
    assert (tile_path(2, 3, 4), entries_path(1000)) == ("tile/2/003.p/4", "tile/entries/x001/000")


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/../0/000",
        "tile/data/000",
        "tile/0/" + "x999/" * 30 + "000",
    ],
)
def test_malformed_paths_are_refused(path: str) -> None:
    with pytest.raises(TileInvalid):
        TileName.parse(path)


def test_tiles_of_the_size_in_the_specification() -> None:
    names = list(tiles_of(70_000))
    assert [sum(1 for n in names if n.level == level) for level in range(4)] == [274, 2, 1, 0]
    assert {n.path for n in names if n.width < 256} == {"tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"}
    assert [n.path for n in tiles_of(256)] == ["tile/0/000", "tile/1/000.p/1"]
    assert list(tiles_of(0)) == list(bundles_of(0)) == []


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries)) == entries


def test_bundles_hold_entries_of_65535_bytes_and_no_longer() -> None:
    assert decode_bundle(encode_bundle([b"x" * 65535, b""])) == [b"x" * 65535, b""]
    for entries in ([b"x" * 65536], [b""] * 257):
        with pytest.raises(TileInvalid):
            encode_bundle(entries)


@pytest.mark.parametrize("data", [b"\0", b"\0\1", b"\0\2x", b"\0\0\0", b"\0\0" * 257])
def test_malformed_bundles_are_refused(data: bytes) -> None:
    with pytest.raises(TileInvalid):
        decode_bundle(data)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=5), st.booleans())
def test_a_log_grown_in_steps_is_the_log_written_at_once(steps: list[int], reload: bool) -> None:
    entries = [n.to_bytes(4, "big") for n in range(sum(steps))]
    edge, files, at = Edge(), {}, 0
    for count in steps:
        edge, new = edge.extend([leaf_hash(entry) for entry in entries[at : at + count]])
        at += count
        for path, data in new.items():
            assert files.setdefault(path, data) == data, "a published file changed"
        if reload:
            assert Edge.at(at, MappingReader(files)) == edge
    whole, frontier = tile_tree(entries)
    assert {path: data for path, data in whole.items() if "entries" not in path}.items() <= files.items()
    assert set(whole) == {n.path for n in (*tiles_of(at), *bundles_of(at))}
    if at:
        assert merkle.root(at, TileNodes(MappingReader(files), at)) == frontier.root()


def test_deep_tree_of_70000_entries_has_right_proofs() -> None:
    entries = [n.to_bytes(4, "big") for n in range(70_000)]
    files, frontier = tile_tree(entries)
    nodes = TileNodes(MappingReader(files), 70_000, keep=4)
    for index in (0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999):
        proof = merkle.inclusion_proof(index, 70_000, nodes)
        merkle.verify_inclusion(index, 70_000, leaf_hash(entries[index]), proof, frontier.root())
    for old in (1, 255, 256, 257, 65_536, 69_999):
        old_root = Frontier().extend(leaf_hash(e) for e in entries[:old]).root()
        proof = merkle.consistency_proof(old, 70_000, nodes)
        merkle.verify_consistency(old, 70_000, old_root, frontier.root(), proof)


def test_nodes_beyond_the_tree_and_missing_tiles_are_refused() -> None:
    files, _ = tile_tree([b"a", b"b", b"c"])
    nodes = TileNodes(MappingReader(files), 3)
    for level, index in ((0, 3), (1, 1), (2, 0)):
        with pytest.raises(TileMissing):
            nodes(level, index)
    with pytest.raises(TileMissing):
        TileNodes(MappingReader({}), 3)(0, 0)


def test_a_full_tile_stands_in_for_a_partial_one() -> None:
    files, _ = tile_tree([n.to_bytes(4, "big") for n in range(256)])
    older = Frontier().extend(leaf_hash(n.to_bytes(4, "big")) for n in range(100))
    assert merkle.root(100, TileNodes(MappingReader(files), 100)) == older.root()
    assert Edge.at(100, MappingReader(files)).rows == (files[TileName(0, 0).path][: 100 * 32],)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_tiles_of_a_wrong_length_are_refused(size: int) -> None:
    with pytest.raises(TileInvalid):
        TileNodes(MappingReader({"tile/0/000.p/1": bytes(size)}), 1)(0, 0)


def test_directory_reader_stays_in_its_directory(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "checkpoint").write_bytes(b"y")
    reader = DirectoryReader(tmp_path / "log")
    assert reader.read("checkpoint") == b"y"
    for path in ("../secret", "/etc/hostname", "", ".", "a//b"):
        with pytest.raises(TileInvalid):
            reader.read(path)
    for path in ("nothing", "checkpoint/below"):
        with pytest.raises(TileMissing):
            reader.read(path)
