"""Tree hashes, compact ranges and proofs: against the definition in RFC 6962, and against published vectors."""

from __future__ import annotations

import base64
import json
import re
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.ledger import merkle
from consentry.ledger.errors import LedgerError, ProofInvalid
from consentry.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash, node_hash

LEAVES = [leaf_hash(bytes([n])) for n in range(70)]


def tree_hash(leaves: list[bytes]) -> bytes:
    """MTH as RFC 6962 section 2.1 writes it."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + tree_hash(leaves[:split]) + tree_hash(leaves[split:])).digest()


def read(level: int, index: int) -> bytes:
    assert (index + 1) << level <= len(LEAVES), "a node beyond the tree was asked for"
    return tree_hash(LEAVES[index << level : (index + 1) << level])


def test_hashes_are_those_of_the_rfc() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert node_hash(b"a", b"b") == sha256(b"\x01ab").digest()


@pytest.mark.parametrize("size", range(71))
def test_frontier_root_is_the_tree_hash(size: int) -> None:
    one_by_one = Frontier()
    for leaf in LEAVES[:size]:
        one_by_one = one_by_one.append(leaf)
    assert one_by_one == Frontier().extend(LEAVES[:size])
    assert one_by_one.root() == tree_hash(LEAVES[:size]) == merkle.root(size, read)


@given(st.lists(st.integers(0, 300), max_size=6))
def test_frontier_is_the_same_however_it_is_batched(batches: list[int]) -> None:
    leaves = [leaf_hash(n.to_bytes(4, "big")) for n in range(sum(batches))]
    frontier, at = Frontier(), 0
    for count in batches:
        frontier = Frontier.decode(frontier.extend(leaves[at : at + count]).encode())
        at += count
    assert frontier == Frontier().extend(leaves)
    assert frontier.root() == tree_hash(leaves)


@pytest.mark.parametrize("data", [b"", b"\0" * 7, b"\0" * 9, b"\0" * 40, b"\0" * 7 + b"\1", b"\xff" * 8])
def test_frontier_refuses_bytes_that_are_none(data: bytes) -> None:
    with pytest.raises(LedgerError):
        Frontier.decode(data)


def test_frontier_refuses_entries_for_leaf_hashes() -> None:
    with pytest.raises(LedgerError, match="leaf_hash"):
        Frontier().append(b"an entry")


def test_every_inclusion_proof_up_to_size_70_verifies() -> None:
    for size in range(1, 71):
        root = tree_hash(LEAVES[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(index, size, read)
            merkle.verify_inclusion(index, size, LEAVES[index], proof, root)


def test_every_consistency_proof_up_to_size_70_verifies() -> None:
    roots = [tree_hash(LEAVES[:size]) for size in range(71)]
    for new in range(1, 71):
        for old in range(1, new + 1):
            proof = merkle.consistency_proof(old, new, read)
            merkle.verify_consistency(old, new, roots[old], roots[new], proof)


def test_every_subtree_proof_up_to_size_40_verifies() -> None:
    for size in range(1, 41):
        root = tree_hash(LEAVES[:size])
        for start in range(size):
            for end in range(start + 1, size + 1):
                if start % (1 << (end - start - 1).bit_length()):
                    continue
                part = tree_hash(LEAVES[start:end])
                proof = merkle.subtree_consistency_proof(start, end, size, read)
                merkle.verify_subtree_consistency(start, end, size, part, root, proof)
                inside = merkle.subtree_inclusion_proof(end - 1, start, end, read)
                merkle.verify_subtree_inclusion(end - 1, start, end, LEAVES[end - 1], inside, part)


@given(st.integers(1, 70), st.data())
def test_g6_falsified_inclusion_proofs_are_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root = tree_hash(LEAVES[:size])
    proof = merkle.inclusion_proof(index, size, read)
    parts = [LEAVES[index], root, *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    bit = data.draw(st.integers(0, 255))
    changed = bytearray(parts[which])
    changed[bit // 8] ^= 1 << bit % 8
    parts[which] = bytes(changed)
    with pytest.raises(ProofInvalid):
        merkle.verify_inclusion(index, size, parts[0], parts[2:], parts[1])


@given(st.integers(1, 70), st.data())
def test_g6_proofs_for_another_place_or_length_are_refused(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    root, proof = tree_hash(LEAVES[:size]), merkle.inclusion_proof(index, size, read)
    other = data.draw(st.integers(-2, 80).filter(lambda at: at != index))
    for place, path in ((other, proof), (index, [*proof, root]), (index, [root, *proof]), (index, proof[:-1])):
        if (place, path) != (index, proof):
            with pytest.raises(ProofInvalid):
                merkle.verify_inclusion(place, size, LEAVES[index], path, root)


@given(st.integers(1, 70), st.integers(1, 70), st.data())
def test_g6_falsified_consistency_proofs_are_refused(one: int, other: int, data: st.DataObject) -> None:
    old, new = sorted((one, other))
    parts = [tree_hash(LEAVES[:old]), tree_hash(LEAVES[:new]), *merkle.consistency_proof(old, new, read)]
    which = data.draw(st.integers(0, len(parts) - 1))
    changed = bytearray(parts[which])
    changed[data.draw(st.integers(0, 31))] ^= 1 << data.draw(st.integers(0, 7))
    parts[which] = bytes(changed)
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(old, new, parts[0], parts[1], parts[2:])


def test_g10_empty_trees_and_empty_hashes_prove_nothing() -> None:
    for leaf in (b"", EMPTY_ROOT):
        with pytest.raises(ProofInvalid):
            merkle.verify_inclusion(0, 0, leaf, [], EMPTY_ROOT)
    with pytest.raises(ProofInvalid):
        merkle.verify_inclusion(0, 1, b"", [], b"")
    with pytest.raises(ProofInvalid):
        merkle.verify_inclusion(0, 2, LEAVES[0], [b""], node_hash(LEAVES[0], b""))
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(0, 5, EMPTY_ROOT, tree_hash(LEAVES[:5]), [])
    with pytest.raises(ProofInvalid):
        merkle.verify_consistency(0, 0, EMPTY_ROOT, EMPTY_ROOT, [])
    with pytest.raises(ProofInvalid):
        merkle.verify_subtree_consistency(0, 0, 5, tree_hash(LEAVES[:5]), tree_hash(LEAVES[:5]), [])


def _hash(value: str | None) -> bytes:
    return base64.b64decode(value or "")


def _check_vector(kind: str, v: dict) -> None:
    proof = [_hash(each) for each in v["proof"] or []]
    if kind == "inclusion":
        merkle.verify_inclusion(v["leafIdx"], v["treeSize"], _hash(v["leafHash"]), proof, _hash(v["root"]))
    elif kind == "consistency":
        merkle.verify_consistency(v["size1"], v["size2"], _hash(v["root1"]), _hash(v["root2"]), proof)
    elif kind == "subtreeinclusion":
        leaf, root = _hash(v["leafHash"]), _hash(v["root"])
        merkle.verify_subtree_inclusion(v["leafIdx"], v["start"], v["end"], leaf, proof, root)
    else:
        part, root = _hash(v["root1"]), _hash(v["root2"])
        merkle.verify_subtree_consistency(v["start"], v["end"], v["size"], part, root, proof)


@pytest.mark.parametrize(
    ("kind", "count"),
    [("inclusion", 65), ("consistency", 66), ("subtreeinclusion", 136), ("subtreeconsistency", 79)],
)
def test_g6_g10_published_vectors(shared_ledger: Path, kind: str, count: int) -> None:
    paths = sorted((shared_ledger / "merkle" / kind).rglob("*.json"))
    assert len(paths) == count
    wrong = []
    for path in paths:
        vector = json.loads(path.read_text())
        try:
            _check_vector(kind, vector)
            refused = False
        except ProofInvalid:
            refused = True
        if refused != vector["wantErr"]:
            wrong.append(str(path.relative_to(shared_ledger)))
    assert wrong == []


def test_compact_ranges_of_the_fuzz_corpus(shared_ledger: Path) -> None:
    seen = 0
    for path in (shared_ledger / "compact-fuzz").rglob("*"):
        numbers = re.findall(r"uint64\((\d+)\)", path.read_text()) if path.is_file() else []
        if len(numbers) == 2:
            _check_range(*map(int, numbers))
            seen += 1
    assert seen == 19


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_compact_ranges_tile_the_range(begin: int, end: int) -> None:
    _check_range(begin, end)


def _check_range(begin: int, end: int) -> None:
    if begin > end:
        with pytest.raises(LedgerError):
            merkle.range_nodes(begin, end)
        return
    nodes, at = merkle.range_nodes(begin, end), begin
    for level, index in nodes:
        assert index << level == at
        at = (index + 1) << level
    assert at == end
    for (level, index), (next_level, _) in pairwise(nodes):
        assert level != next_level or index & 1, "two neighbours that one node would cover"
