"""How fast a bundle verifies, against the bare SHA-256 of the same entries in the same run. One process, one core.

    python bench/verify.py [--actions 20000] [--rounds 5]

Prints medians: entries a second for the whole verification (hashes, tree, tiles, grammar, rules) and its parts, and
what encoding an entry costs. Times are of the processor, so that a busy machine changes them less.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
from collections.abc import Callable
from hashlib import sha256

from consentry.ledger.bundle import Manifest, bundle_files, in_memory
from consentry.ledger.checkpoint import Checkpoint, sign_checkpoint
from consentry.ledger.entry import Fields, decode_entry, encode_entry
from consentry.ledger.keys import LogKey
from consentry.ledger.merkle import Frontier, leaf_hash
from consentry.ledger.note import Signer
from consentry.ledger.tiles import MappingReader, tile_tree
from consentry.ledger.verify import verify_bundle

TIME = "2026-01-02T03:04:05.678Z"
ORIGIN = "bench.example/log"
DIGEST = sha256(b"action").hexdigest()


def events(number: int) -> list[tuple[str, Fields]]:
    """One action that a person consented to."""
    ids = f"{number:026d}"
    action, request, grant, claim = f"act_{ids}", f"req_{ids}", f"gr_{ids}", f"cl_{ids}"
    opened: Fields = {
        "request": request,
        "action": action,
        "digest": DIGEST,
        "operation": "dataset.export",
        "resource": DIGEST,
        "chain": ["agent:ag_1", "person:pe_1"],
        "authors": ["pe_1"],
        "quorum": 1,
        "expires": TIME,
        "policy": DIGEST,
        "policies": ["pii-export-needs-steward"],
    }
    vote: Fields = {"request": request, "person": "pe_2", "verdict": "approve", "shown": DIGEST, "assurance": 2}
    return [
        ("request.opened", opened),
        ("request.vote", vote),
        ("request.approved", {"request": request, "digest": DIGEST, "approvers": ["pe_2"]}),
        ("grant.opened", {"grant": grant, "action": action, "digest": DIGEST, "uses": 1, "request": request}),
        ("grant.claimed", {"claim": claim, "action": action, "digest": DIGEST, "grant": grant}),
        ("grant.settled", {"claim": claim, "status": "succeeded", "summary": DIGEST}),
    ]


def encode_all(rows: list[tuple[str, Fields]]) -> None:
    """Encode and let go: what keeping the bytes costs is not the encoder's."""
    for name, fields in rows:
        encode_entry(name, TIME, fields)


def median(rounds: int, work: Callable[[], object]) -> float:
    """Processor seconds of the middle round."""
    spent = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        spent.append(time.process_time() - start)
    return statistics.median(spent)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--actions", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    gc.disable()  # as `consentry verify` does
    rows = [event for n in range(options.actions) for event in events(n)]
    encoding = median(options.rounds, lambda: encode_all(rows)) / len(rows)
    opening = median(options.rounds, lambda: encode_all(rows[:1] * 20_000)) / 20_000
    entries = [encode_entry(name, TIME, fields) for name, fields in rows]
    signer = Signer(ORIGIN, bytes(32))
    files, frontier = tile_tree(entries)
    checkpoint = sign_checkpoint(Checkpoint(ORIGIN, frontier.size, frontier.root()), [signer])
    keys = [LogKey(signer.verifier)]
    reader = in_memory(bundle_files(MappingReader(files), Manifest(ORIGIN, frontier.size, ()), checkpoint, {}, keys))
    report = verify_bundle(reader, keys)
    if report.exit_code or report.entries != len(entries):
        raise SystemExit(f"the bundle of the benchmark does not verify: {report.findings}")
    parts = {
        "bare sha256 of the entries": median(options.rounds, lambda: [sha256(e).digest() for e in entries]),
        "tree over the entries": median(options.rounds, lambda: Frontier().extend(map(leaf_hash, entries))),
        "grammar": median(options.rounds, lambda: [decode_entry(e) for e in entries]),
        "verify_bundle": median(options.rounds, lambda: verify_bundle(reader, keys)),
    }
    bare = parts["bare sha256 of the entries"]
    print(f"{len(entries)} entries of {sum(map(len, entries)) // len(entries)} bytes on average")
    for what, seconds in parts.items():
        print(f"{what:28} {len(entries) / seconds:12,.0f} entries/s {seconds / bare:8.2f} x bare sha256")
    print(f"{'encode_entry, 11 fields':28} {opening * 1e6:12.2f} us")
    print(f"{'encode_entry, all types':28} {encoding * 1e6:12.2f} us")


if __name__ == "__main__":
    main()
