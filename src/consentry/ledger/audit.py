"""Recomputes a whole log from its files and tells which part of it is not what was signed.

Three things are said about every entry: its own bytes, its hash in a tile, and the root in a signed checkpoint. Where
one of them changed, the other two still agree, and that names the culprit. The files are read once, in order; nothing
is allocated by a size that a file claims.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeAlias

from consentry.ledger.errors import TileInvalid, TileMissing
from consentry.ledger.merkle import Frontier
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
class Audit:
    """What reading a log's files found. `by_entries` and `by_tiles` give the root at each size that was asked for."""

    by_entries: dict[int, bytes] = field(default_factory=dict)
    by_tiles: dict[int, bytes] = field(default_factory=dict)
    entry_faults: list[Finding] = field(default_factory=list)
    """Entries that differ from their tile: the entries are at fault, if the tiles lead to the signed root."""
    tile_faults: list[Finding] = field(default_factory=list)
    """The same places, if the entries lead to the signed root."""
    findings: list[Finding] = field(default_factory=list)
    """What is wrong whoever is right: files missing, cut short or malformed, and inner tiles that do not add up."""
    entries: int = 0
    tiles: int = 0


Visit: TypeAlias = Callable[[int, Sequence[bytes]], None]
"""Takes the index of the first of some entries that stand side by side, and the entries."""
_Roots: TypeAlias = tuple[bytes, bytes]
"""The root of one full tile, as its entries and as its stored hashes give it."""


def audit_tiles(reader: TileReader, size: int, sizes: Collection[int], visit: Visit) -> Audit:
    """Read a log of `size` entries; compute its roots at `sizes`; `visit` sees all entries, in order."""
    return _Auditor(reader, size, sorted({s for s in sizes if 0 < s <= size}), visit).run()


@dataclass(slots=True)
class _Auditor:
    reader: TileReader
    size: int
    sizes: list[int]
    visit: Visit
    audit: Audit = field(default_factory=Audit)
    entry_tree: Frontier = field(default_factory=Frontier)
    """The compact range over the roots of full tiles: 256 leaves count as one."""
    tile_tree: Frontier = field(default_factory=Frontier)
    rows: list[list[_Roots]] = field(default_factory=list)
    """For each level over 0, the hashes of its tile that is not yet complete."""

    def run(self) -> Audit:
        for name in bundles_of(self.size):
            if not self._take(name):
                return self.audit
        for level, row in enumerate(self.rows, 1):
            if row:
                self._check_inner(level, row)
        return self.audit

    def _take(self, name: TileName) -> bool:
        """Read one bundle with its tile; False where the log cannot be followed any further."""
        first = name.index * TILE_WIDTH
        try:
            entries = self._entries(name)
        except TileMissing:
            if not self._has_end():
                message = f"the log ends at entry {first}, and a checkpoint of {self.size} was signed"
                self.audit.findings.append(tampered("tail_cut", f"entry {first}", message))
                return False
            self.audit.findings.append(unverifiable("entries_missing", name.path, "the entry bundle is not there"))
            entries = None
        stored = self._stored(TileName(0, name.index, name.width))
        if entries is not None:
            hashes = [sha256(b"\x00" + entry).digest() for entry in entries]
            self.visit(first, entries)
            self.audit.entries += len(entries)
            if stored is not None and stored != hashes:
                self._compare(name, hashes, stored)
            if len(hashes) == name.width:
                self._grow(first, hashes, stored if stored is not None else hashes)
                return True
        if stored is None:
            return False
        self._grow(first, stored, stored)
        return True

    def _grow(self, first: int, by_entries: list[bytes], by_tile: list[bytes]) -> None:
        base = Frontier(first, self.entry_tree.hashes)
        other = Frontier(first, self.tile_tree.hashes)
        for size in self.sizes[bisect_right(self.sizes, first) : bisect_right(self.sizes, first + len(by_entries))]:
            self.audit.by_entries[size] = base.extend(by_entries[: size - first]).root()
            self.audit.by_tiles[size] = other.extend(by_tile[: size - first]).root()
        if len(by_entries) == TILE_WIDTH:
            full = tile_root(by_entries)
            other_full = full if by_tile == by_entries else tile_root(by_tile)
            self.entry_tree = self.entry_tree.append(full)
            self.tile_tree = self.tile_tree.append(other_full)
            self._climb(1, (full, other_full))

    def _climb(self, level: int, full: _Roots) -> None:
        """A tile became full: its root stands in the level above, which may become full in turn."""
        if len(self.rows) < level:
            self.rows.append([])
        row = self.rows[level - 1]
        row.append(full)
        if len(row) == TILE_WIDTH:
            self._check_inner(level, row)
            by_entries, by_tiles = zip(*row, strict=True)
            self._climb(level + 1, (tile_root(by_entries), tile_root(by_tiles)))
            row.clear()

    def _check_inner(self, level: int, row: list[_Roots]) -> None:
        """Compare an inner tile with the roots below it: an inner hash is at fault where it fits neither of the two."""
        count = self.entry_tree.size >> (8 * (level - 1))
        name = TileName(level, (count - 1) // TILE_WIDTH, len(row))
        stored = self._stored(name)
        if stored is None:
            return
        for place, (ours, theirs) in enumerate(zip(row, stored, strict=True)):
            if theirs not in ours:
                where, message = f"{name.path} hash {place}", "is not the root of the tile below it"
                self._add(self.audit.findings, tampered("tile_changed", where, message))

    def _compare(self, name: TileName, hashes: list[bytes], stored: list[bytes]) -> None:
        """Name the places where entries and tile differ; who is at fault is known once a signed root is compared."""
        first = name.index * TILE_WIDTH
        path = TileName(0, name.index, name.width).path
        for place in range(name.width):
            if place >= len(hashes) or hashes[place] != stored[place]:
                index = first + place
                shifted = place + 1 < name.width and place < len(hashes) and hashes[place] == stored[place + 1]
                if place >= len(hashes) or shifted:
                    fault = tampered("entry_missing", f"entry {index}", "the entry was left out")
                else:
                    fault = tampered("entry_changed", f"entry {index}", "is not the entry that was signed")
                if len(hashes) < name.width:
                    self._add(self.audit.findings, fault)
                else:
                    self._add(self.audit.entry_faults, fault)
                    message = f"is not the hash of entry {index}"
                    self._add(self.audit.tile_faults, tampered("tile_changed", f"{path} hash {place}", message))
                if fault.code == "entry_missing":
                    return

    def _entries(self, name: TileName) -> list[bytes] | None:
        """A bundle's entries, as many as it has up to its width; None where its bytes are not a bundle."""
        try:
            try:
                data = self.reader.read(name.path)
            except TileMissing:
                if name.width == TILE_WIDTH:
                    raise
                data = self.reader.read(TileName(None, name.index).path)
            entries = decode_bundle(data)
        except TileInvalid as error:
            self._add(self.audit.findings, tampered("entries_damaged", name.path, str(error)))
            return None
        if len(entries) < name.width:
            message = f"holds {len(entries)} entries where there were {name.width}"
            self._add(self.audit.findings, tampered("entries_damaged", name.path, message))
        return entries[: name.width]

    def _stored(self, name: TileName) -> list[bytes] | None:
        """A tile's hashes, or None and a finding."""
        self.audit.tiles += 1
        try:
            return split_hashes(read_tile(self.reader, name))
        except TileMissing:
            self._add(self.audit.findings, unverifiable("tile_missing", name.path, "the tile is not there"))
        except TileInvalid as error:
            self._add(self.audit.findings, tampered("tile_damaged", name.path, str(error)))
        return None

    def _has_end(self) -> bool:
        """Whether the last bundle is there: if so a file is missing, if not the tail was cut off."""
        index, width = divmod(self.size - 1, TILE_WIDTH)
        for name in {TileName(None, index, width + 1), TileName(None, index)}:
            try:
                self.reader.read(name.path)
            except (TileMissing, TileInvalid):
                continue
            return True
        return False

    @staticmethod
    def _add(findings: list[Finding], finding: Finding) -> None:
        if len(findings) < MAX_FINDINGS:
            findings.append(finding)
