"""The Merkle tree of RFC 6962 section 2.1 and RFC 9162 section 2.1 over SHA-256: hashes, compact ranges and proofs.

Nodes are named `(level, index)`: the root of the perfect subtree over leaves `[index << level, (index + 1) << level)`.
Proofs of subtrees follow draft-ietf-plants-merkle-tree-certs section 4: a subtree `[start, end)` is one whose start
is a multiple of the least power of two that is not below its width; `[0, n)` is the tree itself.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from consentry.ledger.errors import LedgerError, ProofInvalid

HASH_BYTES = 32
MAX_SIZE = 2**63 - 1
EMPTY_ROOT = sha256(b"").digest()
"""The root of the tree without leaves (RFC 6962 section 2.1)."""


class NodeReader(Protocol):
    """Reads the hash of a perfect subtree; raises a `LedgerError` where it is not there."""

    def __call__(self, level: int, index: int) -> bytes: ...


def leaf_hash(data: bytes) -> bytes:
    """The hash of one entry: SHA-256(0x00 || data)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node: SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def pair_up(hashes: Sequence[bytes]) -> list[bytes]:
    """The parents of an even number of neighbouring nodes, left to right."""
    each = iter(hashes)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(each, each, strict=True)]


@dataclass(frozen=True, slots=True)
class Frontier:
    """The compact range `[0, size)`: the roots of the perfect subtrees that make up a tree, largest first.

    It is all that appending and computing the root need: at most 63 hashes, whatever the size.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise LedgerError(f"frontier: size `{self.size}` is out of range")
        if len(self.hashes) != self.size.bit_count() or any(len(h) != HASH_BYTES for h in self.hashes):
            raise LedgerError(f"frontier: a tree of size `{self.size}` has {self.size.bit_count()} hashes of 32 bytes")

    def append(self, leaf: bytes) -> Frontier:
        """The frontier after one more leaf hash."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> Frontier:
        """The frontier after more leaf hashes, in order. About one node hash for each."""
        carry = list(leaves)
        if not {HASH_BYTES}.issuperset(map(len, carry)):
            raise LedgerError("frontier: a leaf hash is 32 bytes; pass `leaf_hash(entry)`, not the entry")
        size = self.size + len(carry)
        left, peaks, bits = list(self.hashes), [], self.size
        while carry or left:
            if bits & 1:
                carry.insert(0, left.pop())
            bits >>= 1
            if len(carry) & 1:
                peaks.append(carry.pop())
            carry = pair_up(carry)
        return Frontier(size, tuple(reversed(peaks)))

    def root(self) -> bytes:
        """The Merkle tree hash of the tree."""
        return _fold(self.hashes) if self.hashes else EMPTY_ROOT

    def encode(self) -> bytes:
        """Bytes for a database column: the size as 8 bytes, big-endian, then the hashes."""
        return self.size.to_bytes(8, "big") + b"".join(self.hashes)

    @staticmethod
    def decode(data: bytes) -> Frontier:
        """The inverse of `encode`; raises `LedgerError` where the bytes are not a frontier."""
        if len(data) < 8 or (len(data) - 8) % HASH_BYTES:
            raise LedgerError(f"frontier: `{len(data)}` bytes are not a frontier")
        hashes = tuple(data[at : at + HASH_BYTES] for at in range(8, len(data), HASH_BYTES))
        return Frontier(int.from_bytes(data[:8], "big"), hashes)


def range_nodes(begin: int, end: int) -> list[tuple[int, int]]:
    """The fewest perfect subtrees `(level, index)` that cover leaves `[begin, end)`, left to right."""
    if not 0 <= begin <= end:
        raise LedgerError(f"range `[{begin}, {end})` is not a range of leaves")
    nodes = []
    while begin < end:
        level = (end - begin).bit_length() - 1
        if begin:
            level = min(level, (begin & -begin).bit_length() - 1)
        nodes.append((level, begin >> level))
        begin += 1 << level
    return nodes


def subtree_root(start: int, end: int, read: NodeReader) -> bytes:
    """The Merkle tree hash of leaves `[start, end)`, which must be a subtree and not empty."""
    _require_subtree(start, end)
    return _fold([read(level, index) for level, index in range_nodes(start, end)])


def root(size: int, read: NodeReader) -> bytes:
    """The root of the tree of `size` leaves."""
    return subtree_root(0, size, read) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, read: NodeReader) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves, leaf to root (RFC 6962 section 2.1.1)."""
    return subtree_inclusion_proof(index, 0, size, read)


def subtree_inclusion_proof(index: int, start: int, end: int, read: NodeReader) -> list[bytes]:
    """The audit path of leaf `index` in the subtree `[start, end)`."""
    _require_subtree(start, end)
    if not start <= index < end:
        raise ProofInvalid(f"leaf `{index}` is not in [{start}, {end})")
    proof = []
    while end - start > 1:
        split = start + _split(end - start)
        if index < split:
            proof.append(subtree_root(split, end, read))
            end = split
        else:
            proof.append(subtree_root(start, split, read))
            start = split
    return proof[::-1]


def consistency_proof(old: int, new: int, read: NodeReader) -> list[bytes]:
    """That the tree of `old` leaves is a prefix of the tree of `new` leaves (RFC 6962 section 2.1.2)."""
    return subtree_consistency_proof(0, old, new, read)


def subtree_consistency_proof(start: int, end: int, size: int, read: NodeReader) -> list[bytes]:
    """That the subtree `[start, end)` is part of the tree of `size` leaves."""
    _require_subtree(start, end)
    if end > size:
        raise ProofInvalid(f"subtree [{start}, {end}) reaches beyond the tree of size `{size}`")
    low, high, whole, proof = 0, size, True, []
    while (start, end) != (low, high):
        split = low + _split(high - low)
        if end <= split:
            proof.append(subtree_root(split, high, read))
            high = split
        else:
            proof.append(subtree_root(low, split, read))
            if start < split:
                whole, start = False, split
            low = split
    if not whole:
        proof.append(subtree_root(low, high, read))
    return proof[::-1]


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that the leaf hash `leaf` stands at `index` in the tree of `size` leaves with this root.

    Raises `ProofInvalid` for anything else, an empty tree included (RFC 9162 section 2.1.3.2).
    """
    verify_subtree_inclusion(index, 0, size, leaf, proof, root)


def verify_subtree_inclusion(
    index: int, start: int, end: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that `leaf` stands at `index` in the subtree `[start, end)` with this root; raises `ProofInvalid`."""
    _require_subtree(start, end)
    if not start <= index < end:
        raise ProofInvalid(f"leaf `{index}` is not in [{start}, {end})")
    _require_hashes((leaf, *proof))
    place, last, computed = index - start, end - start - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid("the inclusion proof is longer than the tree is high")
        if place & 1 or place == last:
            computed = node_hash(sibling, computed)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        place, last = place >> 1, last >> 1
    if last != 0:
        raise ProofInvalid("the inclusion proof is shorter than the tree is high")
    _require_equal(computed, root, f"the inclusion proof of leaf `{index}` does not lead to the root")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `new` leaves extends the tree of `old` leaves; raises `ProofInvalid`.

    `old` must not be 0: every tree extends the empty one, so such a proof would say nothing.
    """
    if old == 0:
        raise ProofInvalid("a consistency proof from the empty tree says nothing; compare from size 1 on")
    verify_subtree_consistency(0, old, new, old_root, new_root, proof)


def verify_subtree_consistency(
    start: int, end: int, size: int, subroot: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the subtree `[start, end)` is part of the tree of `size` leaves; raises `ProofInvalid`.

    An empty subtree is part of every tree that reaches to it, and says nothing about `root`.
    """
    if start == end:
        if end > size or proof or subroot != EMPTY_ROOT:
            raise ProofInvalid(f"`[{start}, {end})` is empty: its root is that of no leaves and its proof is empty")
        return
    _require_subtree(start, end)
    if end > size or size > MAX_SIZE:
        raise ProofInvalid(f"subtree [{start}, {end}) reaches beyond the tree of size `{size}`")
    _require_hashes(proof)
    small, large = _consistency_roots(start, end, size, subroot, list(proof))
    _require_equal(small, subroot, f"the consistency proof does not lead to the root of [{start}, {end})")
    _require_equal(large, root, f"the consistency proof does not lead to the root of size `{size}`")


def _consistency_roots(start: int, end: int, size: int, subroot: bytes, proof: list[bytes]) -> tuple[bytes, bytes]:
    """The two roots that a proof leads to. Goes down as `subtree_consistency_proof` does, and folds on the way up."""
    low, high, whole, turns = 0, size, True, []
    while (start, end) != (low, high):
        split = low + _split(high - low)
        if end <= split:
            turns.append("right")
            high = split
        else:
            turns.append("both" if start < split else "left")
            if start < split:
                whole, start = False, split
            low = split
    if len(proof) != len(turns) + (0 if whole else 1):
        raise ProofInvalid(f"the consistency proof has {len(proof)} hashes where the sizes ask for another number")
    small = large = subroot if whole else proof[0]
    for turn, sibling in zip(reversed(turns), proof[0 if whole else 1 :], strict=True):
        large = node_hash(large, sibling) if turn == "right" else node_hash(sibling, large)
        small = node_hash(sibling, small) if turn == "both" else small
    return small, large


def _fold(peaks: Sequence[bytes]) -> bytes:
    """The root over perfect subtrees given largest first."""
    computed = peaks[-1]
    for peak in reversed(peaks[:-1]):
        computed = node_hash(peak, computed)
    return computed


def _split(width: int) -> int:
    """The greatest power of two below `width` (RFC 6962 section 2.1), for a width over 1."""
    return 1 << ((width - 1).bit_length() - 1)


def _require_subtree(start: int, end: int) -> None:
    if not 0 <= start < end <= MAX_SIZE:
        raise ProofInvalid(f"[{start}, {end}) is no subtree: it must hold at least one leaf")
    if start & ((1 << (end - start - 1).bit_length()) - 1):
        raise ProofInvalid(f"[{start}, {end}) is no subtree: its start is not a multiple of its width")


def _require_hashes(hashes: Iterable[bytes]) -> None:
    for each in hashes:
        if len(each) != HASH_BYTES:
            raise ProofInvalid(f"a hash of `{len(each)}` bytes where SHA-256 has 32")


def _require_equal(computed: bytes, expected: bytes, otherwise: str) -> None:
    if not hmac.compare_digest(computed, expected):
        raise ProofInvalid(otherwise)
