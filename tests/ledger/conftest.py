"""A small log of ours to try things on, and where the benchmark data lies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from consentry.ledger.bundle import Manifest, bundle_files
from consentry.ledger.checkpoint import Checkpoint, sign_checkpoint
from consentry.ledger.commit import commit
from consentry.ledger.entry import encode_entry
from consentry.ledger.keys import LogKey
from consentry.ledger.merkle import Frontier, leaf_hash
from consentry.ledger.note import Signer
from consentry.ledger.receipt import Disclosure, Receipt, build_receipt
from consentry.ledger.tiles import MappingReader, TileNodes, tile_tree

TIME = "2026-01-02T03:04:05.678Z"
ORIGIN = "example.com/consentry"
DIGEST = "d" * 64
SALT = bytes(range(32))


class Log:
    """Entries of ours, published and signed, with everything that a verifier could be given."""

    def __init__(self, entries: list[bytes], signer: Signer) -> None:
        self.entries = entries
        self.signer = signer
        self.keys = [LogKey(signer.verifier)]
        self.files, self.frontier = tile_tree(entries)
        self.checkpoint = self.checkpoint_at(len(entries))
        self.files["checkpoint"] = self.checkpoint

    def checkpoint_at(self, size: int, signer: Signer | None = None) -> bytes:
        root = Frontier().extend(leaf_hash(e) for e in self.entries[:size]).root()
        return sign_checkpoint(Checkpoint(ORIGIN, size, root), [signer or self.signer])

    @property
    def reader(self) -> MappingReader:
        return MappingReader(self.files)

    def receipt(self, action: str, disclosures: tuple[Disclosure, ...] = (), skip: str = "") -> Receipt:
        marks = (f'"action":"{action}"'.encode(), f'_{action}"'.encode())
        chosen = {
            at: entry
            for at, entry in enumerate(self.entries)
            if any(m in entry for m in marks) and not (skip and skip.encode() in entry)
        }
        nodes = TileNodes(self.reader, len(self.entries))
        return build_receipt(action, chosen, self.checkpoint, len(self.entries), nodes, disclosures)

    def bundle(self, sizes: tuple[int, ...] = (), disclosures: tuple[Disclosure, ...] = ()) -> dict[str, bytes]:
        manifest = Manifest(ORIGIN, len(self.entries), sizes)
        checkpoints = {size: self.checkpoint_at(size) for size in sizes}
        return dict(bundle_files(self.reader, manifest, self.checkpoint, checkpoints, self.keys, disclosures))


def _judged(action: str, digest: str = DIGEST) -> dict[str, object]:
    return {
        "action": action,
        "digest": digest,
        "operation": "dataset.export",
        "resource": commit(b"crm", SALT),
        "chain": ["agent:ag_1", "person:pe_author"],
        "policy": "c" * 64,
        "policies": ["pii-export"],
    }


def _story(action: str) -> list[tuple[str, dict[str, object]]]:
    """One action that a person consented to, from the question to the outcome. Ids end in the action's id."""
    request, grant, claim = f"req_{action}", f"gr_{action}", f"cl_{action}"
    opened = {"request": request, "authors": ["pe_author"], "quorum": 1, "expires": TIME, **_judged(action)}
    voted = {"request": request, "person": "pe_steward", "verdict": "approve", "shown": "e" * 64, "assurance": 2}
    return [
        ("request.opened", opened),
        ("request.vote", voted),
        ("request.approved", {"request": request, "digest": DIGEST, "approvers": ["pe_steward"]}),
        ("grant.opened", {"grant": grant, "action": action, "digest": DIGEST, "uses": 1, "request": request}),
        ("grant.claimed", {"claim": claim, "action": action, "digest": DIGEST, "grant": grant}),
        ("grant.settled", {"claim": claim, "status": "succeeded", "summary": commit(b"3 rows", SALT)}),
    ]


@pytest.fixture
def story() -> Callable[[str], list[tuple[str, dict[str, object]]]]:
    return _story


@pytest.fixture
def judged() -> Callable[..., dict[str, object]]:
    return _judged


@pytest.fixture
def log_of() -> Callable[..., Log]:
    """A log of events given as (type, fields)."""

    def build(events: list[tuple[str, dict[str, object]]], signer: Signer | None = None) -> Log:
        entries = [encode_entry(name, TIME, fields) for name, fields in events]  # type: ignore[arg-type]
        return Log(entries, signer or Signer(ORIGIN, bytes(range(32))))

    return build


@pytest.fixture
def log(log_of: Callable[..., Log]) -> Log:
    """100 actions consented to: 600 entries, two full tiles and a partial one, and one inner tile."""
    return log_of([event for n in range(100) for event in _story(f"act{n:03d}")])


@pytest.fixture(scope="session")
def shared_ledger() -> Path:
    """The ledger part of the benchmark data, which lies beside the repository where there is any."""
    for base in Path(__file__).resolve().parents:
        for found in (base / "shared" / "bench" / "ledger", base.parent / "shared" / "bench" / "ledger"):
            if found.is_dir():
                return found
    pytest.skip("the benchmark data (shared/bench/ledger) is not on this machine")
