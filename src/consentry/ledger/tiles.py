"""Tiles: the static files that a log is published as, as C2SP `tlog-tiles` defines them (https://c2sp.org/tlog-tiles).

A hash tile at level L holds up to 256 hashes of perfect subtrees of height 8·L. An entry bundle holds the entries under
one level-0 tile, each behind its length as two bytes, big-endian.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from consentry.ledger.errors import TileInvalid, TileMissing
from consentry.ledger.merkle import HASH_BYTES, Frontier, leaf_hash, pair_up

TILE_WIDTH = 256
TILE_HEIGHT = 8
MAX_ENTRY_BYTES = 65535
_FULL_BYTES = TILE_WIDTH * HASH_BYTES
_PATH = re.compile(r"tile/(entries|0|[1-9]|[1-5][0-9]|6[0-3])/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")


@dataclass(frozen=True, slots=True)
class TileName:
    """Which tile: `level` is None for an entry bundle; `width` is how many of its 256 places are filled."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        level = 0 if self.level is None else self.level
        if not (0 <= level <= 63 and 0 <= self.index < 2**55 and 1 <= self.width <= TILE_WIDTH):
            raise TileInvalid(f"tile level `{self.level}`, index `{self.index}`, width `{self.width}`: out of range")

    @property
    def path(self) -> str:
        """The path below the log's prefix, such as `tile/0/x001/x234/067.p/8`."""
        digits = [f"{self.index % 1000:03d}"]
        rest = self.index // 1000
        while rest:
            digits.insert(0, f"x{rest % 1000:03d}")
            rest //= 1000
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{'entries' if self.level is None else self.level}/{'/'.join(digits)}{partial}"

    @staticmethod
    def parse(path: str) -> TileName:
        """Read a path; raises `TileInvalid` unless it is the one spelling of a tile's path."""
        match = _PATH.fullmatch(path)
        if match is None or len(path) > 100:
            raise TileInvalid("tile path: must read `tile/<level>/<index>[.p/<width>]`")
        level, index, width = match.groups()
        name = TileName(
            None if level == "entries" else int(level),
            int(re.sub(r"[x/]", "", index)),
            int(width) if width else TILE_WIDTH,
        )
        if name.path != path:
            raise TileInvalid("tile path: has another spelling")
        return name


def tile_path(level: int, index: int, width: int = TILE_WIDTH) -> str:
    """The path of a hash tile."""
    return TileName(level, index, width).path


def entries_path(index: int, width: int = TILE_WIDTH) -> str:
    """The path of an entry bundle."""
    return TileName(None, index, width).path


def tiles_of(size: int) -> Iterator[TileName]:
    """The hash tiles that a tree of `size` leaves consists of, level by level: full ones, then the partial one."""
    level = 0
    while size >> (TILE_HEIGHT * level):
        yield from _row(level, size >> (TILE_HEIGHT * level))
        level += 1


def bundles_of(size: int) -> Iterator[TileName]:
    """The entry bundles of a log of `size` entries."""
    return _row(None, size)


def _row(level: int | None, count: int) -> Iterator[TileName]:
    full, rest = divmod(count, TILE_WIDTH)
    for index in range(full):
        yield TileName(level, index)
    if rest:
        yield TileName(level, full, rest)


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """An entry bundle of up to 256 entries of up to 65535 bytes each; raises `TileInvalid`."""
    if len(entries) > TILE_WIDTH or any(len(e) > MAX_ENTRY_BYTES for e in entries):
        raise TileInvalid(f"an entry bundle holds {TILE_WIDTH} entries of at most {MAX_ENTRY_BYTES} bytes")
    return b"".join(len(e).to_bytes(2, "big") + e for e in entries)


def decode_bundle(data: bytes) -> list[bytes]:
    """The entries of a bundle; raises `TileInvalid` where the lengths do not add up or there are too many."""
    at, end = 0, len(data)
    entries: list[bytes] = []
    while at < end:
        start = at + 2
        at = start + (data[start - 2] << 8 | data[start - 1] if start <= end else end)
        if at > end:
            raise TileInvalid(f"the bundle ends inside its entry `{len(entries)}`")
        entries.append(data[start:at])
    if len(entries) > TILE_WIDTH:
        raise TileInvalid(f"the bundle holds {len(entries)} entries where {TILE_WIDTH} fit")
    return entries


def split_hashes(data: bytes) -> list[bytes]:
    """The hashes of a tile; raises `TileInvalid` where the length is wrong."""
    if not data or len(data) % HASH_BYTES or len(data) > _FULL_BYTES:
        raise TileInvalid(f"`{len(data)}` bytes are not a hash tile")
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]


def tile_root(hashes: Sequence[bytes]) -> bytes:
    """The hash of a full tile's subtree, which the level above holds."""
    row = list(hashes)
    while len(row) > 1:
        row = pair_up(row)
    return row[0]


class TileReader(Protocol):
    """Reads files of a log by their path; raises `TileMissing` where there is none. Reads never change what is read."""

    def read(self, path: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class DirectoryReader:
    """A log published as files under one directory."""

    directory: Path

    def read(self, path: str) -> bytes:
        """The bytes at `path`, a tile's path or a plain file name of a log."""
        parts = path.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise TileInvalid("a path of a log has no empty or dotted parts")
        try:
            return self.directory.joinpath(*parts).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
            raise TileMissing(f"`{path}` is not there") from error


@dataclass(frozen=True, slots=True)
class MappingReader:
    """A log held in memory."""

    files: Mapping[str, bytes]

    def read(self, path: str) -> bytes:
        """The bytes at `path`."""
        try:
            return self.files[path]
        except KeyError as error:
            raise TileMissing(f"`{path}` is not there") from error


def read_tile(reader: TileReader, name: TileName) -> bytes:
    """The first `name.width` hashes of a tile: the partial file, or else the full one that has replaced it."""
    want = name.width * HASH_BYTES
    try:
        data = reader.read(name.path)
    except TileMissing:
        if name.width == TILE_WIDTH:
            raise
        data = reader.read(TileName(name.level, name.index).path)
        if len(data) != _FULL_BYTES:
            raise TileInvalid(f"`{TileName(name.level, name.index).path}` is not a full tile") from None
        return data[:want]
    if len(data) != want:
        raise TileInvalid(f"`{name.path}` has `{len(data)}` bytes where its width asks for {want}")
    return data


class TileNodes:
    """Reads tree nodes out of tiles, as proofs need them (a `NodeReader`). Tiles read are kept, up to `keep` of them.

    The tiles are believed: whoever verifies must check the proof or root against a signed checkpoint.
    """

    def __init__(self, reader: TileReader, size: int, keep: int = 256) -> None:
        self._reader = reader
        self._size = size
        self._keep = keep
        self._tiles: OrderedDict[tuple[int, int], bytes] = OrderedDict()

    def __call__(self, level: int, index: int) -> bytes:
        """The hash of the perfect subtree `(level, index)`, hashed up from the tile that covers it."""
        if (index + 1) << level > self._size:
            raise TileMissing(f"node ({level}, {index}) is beyond size `{self._size}`")
        tile_level, height = divmod(level, TILE_HEIGHT)
        first = index << height
        data = self._tile(tile_level, first // TILE_WIDTH)
        at = first % TILE_WIDTH * HASH_BYTES
        return tile_root(split_hashes(data[at : at + (HASH_BYTES << height)]))

    def _tile(self, level: int, index: int) -> bytes:
        key = (level, index)
        if key in self._tiles:
            self._tiles.move_to_end(key)
            return self._tiles[key]
        width = min(TILE_WIDTH, (self._size >> (TILE_HEIGHT * level)) - index * TILE_WIDTH)
        data = self._tiles[key] = read_tile(self._reader, TileName(level, index, width))
        if len(self._tiles) > self._keep:
            self._tiles.popitem(last=False)
        return data


@dataclass(frozen=True, slots=True)
class Edge:
    """The right edge of a published log: what is needed to publish more of its tiles, at any size.

    `rows[L]` are the bytes of level L's partial tile (fewer than 256 hashes).
    """

    size: int = 0
    rows: tuple[bytes, ...] = ()

    def extend(self, leaves: Sequence[bytes]) -> tuple[Edge, dict[str, bytes]]:
        """The edge after more leaf hashes, and the tiles to publish before a checkpoint of that size: path to bytes.

        Tiles are immutable: none is ever published twice with different bytes.
        """
        files: dict[str, bytes] = {}
        carry, rows = list(leaves), []
        for level in range(64):
            if not carry and level >= len(self.rows):
                break
            before = (self.size >> (TILE_HEIGHT * level)) // TILE_WIDTH
            row = self.rows[level] if level < len(self.rows) else b""
            left, carry = _publish_row(files, level, before, row, carry)
            rows.append(left)
        return Edge(self.size + len(leaves), tuple(rows)), files

    @staticmethod
    def at(size: int, reader: TileReader) -> Edge:
        """The edge of a log already published to `size`, read back from its tiles."""
        rows, level = [], 0
        while size >> (TILE_HEIGHT * level):
            index, width = divmod(size >> (TILE_HEIGHT * level), TILE_WIDTH)
            rows.append(read_tile(reader, TileName(level, index, width)) if width else b"")
            level += 1
        return Edge(size, tuple(rows))


def tile_tree(entries: Sequence[bytes]) -> tuple[dict[str, bytes], Frontier]:
    """All files of a log but its checkpoint, and its frontier: for exports and small logs."""
    leaves = [leaf_hash(entry) for entry in entries]
    _, files = Edge().extend(leaves)
    for at in range(0, len(entries), TILE_WIDTH):
        part = entries[at : at + TILE_WIDTH]
        files[entries_path(at // TILE_WIDTH, len(part))] = encode_bundle(part)
    return files, Frontier().extend(leaves)


def _publish_row(
    files: dict[str, bytes], level: int, index: int, row: bytes, hashes: list[bytes]
) -> tuple[bytes, list[bytes]]:
    """Publish one level; the bytes of its new partial tile, and the roots of tiles that became full."""
    whole, roots = row + b"".join(hashes), []
    full_bytes = len(whole) // _FULL_BYTES * _FULL_BYTES
    for at in range(0, full_bytes, _FULL_BYTES):
        full = whole[at : at + _FULL_BYTES]
        files[TileName(level, index).path] = full
        roots.append(tile_root(split_hashes(full)))
        index += 1
    data = whole[full_bytes:]
    if data and hashes:
        files[TileName(level, index, len(data) // HASH_BYTES).path] = data
    return data, roots
