"""Recomputes a whole log from its files and tells which part of it is not what was signed.

Three things are said about every entry: its own bytes, its hash in a tile, and the root in a signed checkpoint. Where
one of them changed, the other two still agree, and that names the culprit. The files are read once, in order; nothing
is allocated by a size that a file claims.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from consentry.ledger.errors import TileInvalid, TileMissing
from consentry.ledger.merkle import HASH_BYTES, Frontier, leaf_hash
from consentry.ledger.report import Finding, tampered, unverifiable
from consentry.ledger.tiles import (
    TILE_WIDTH,
    TileName,
    TileReader,
    bundles_of,
    decode_bundle,
    read_tile,
    split_hashes,
    tile_root,
)

MAX_FINDINGS = 20
"""A report names the first of many: one entry left out shifts all that follow."""


@dataclass(slots=True)
class _Tree:
    """A tree read tile by tile: the compact range over the roots of its full tiles."""

    tiles: Frontier = field(default_factory=Frontier)
    roots: dict[int, bytes] = field(default_factory=dict)

    def add(self, hashes: list[bytes], sizes: Sequence[int]) -> bytes | None:
        """Take the next level-0 tile's hashes, note the root at each of `sizes`, and return a full tile's root."""
        base = Frontier(self.tiles.size * TILE_WIDTH, self.tiles.hashes)
        for size in sizes:
            self.roots[size] = base.extend(hashes[: size - base.size]).root()
        if len(hashes) < TILE_WIDTH:
            return None
        full = tile_root(hashes)
        self.tiles = self.tiles.append(full)
        return full


@dataclass(slots=True)
class Audit:
    """What reading a log's files found. `by_entries` and `by_tiles` give the root at each size that was asked for."""

    by_entries: dict[int, bytes]
    by_tiles: dict[int, bytes]
    entry_faults: list[Finding] = field(default_factory=list)
    """Entries that differ from their tile: the entries are at fault, if the tiles lead to the signed root."""
    tile_faults: list[Finding] = field(default_factory=list)
    """The same places, if the entries lead to the signed root."""
    findings: list[Finding] = field(default_factory=list)
    """What is wrong whoever is right: files missing, cut short or malformed."""
    entries: int = 0
    tiles: int = 0


def audit_tiles(
    reader: TileReader, size: int, sizes: Sequence[int], visit: Callable[[int, bytes], None] | None = None
) -> Audit:
    """Read a log of `size` entries; compute its roots at `sizes`; `visit` sees each entry with its index, in order."""
    entries, tiles = _Tree({0: b""} and Frontier()), _Tree()
    audit = Audit(entries.roots, tiles.roots)
    rows: list[list[bytes]] = []
    agree = True
    wanted = sorted({s for s in sizes if 0 < s <= size})
    for name in bundles_of(size):
        first = name.index * TILE_WIDTH
        read = _read_bundle(reader, name, audit)
        if read is None and not _has(reader, _last(size)):
            audit.findings.append(_tail_cut(first, size))
            break
        stored = _read_tile(reader, TileName(0, name.index, name.width), audit)
        if read is None and stored is None:
            break
        hashes = [leaf_hash(entry) for entry in read] if read is not None else stored or []
        if visit is not None and read is not None:
            for index, entry in enumerate(read, first):
                visit(index, entry)
        if stored is not None and stored != hashes:
            agree = _compare(audit, name, hashes, stored) and agree
        if len(hashes) != name.width:
            hashes = stored if stored is not None and len(stored) == name.width else hashes
        due = [s for s in wanted if first < s <= first + name.width and s <= first + len(hashes)]
        full = entries.add(hashes, due)
        audit.entries += len(read) if read is not None else 0
        if not agree and tiles.tiles.size == 0:
            tiles.tiles = Frontier(name.index, _before(entries.tiles, full))
        if not agree:
            tiles.add(stored if stored is not None else hashes, due)
        if full is not None:
            _climb(reader, audit, rows, 1, full)
        elif name.width == TILE_WIDTH:
            break
    return audit
