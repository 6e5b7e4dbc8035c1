"""Checkpoints, and the logs that others wrote: their signatures, and consistency between all their sizes."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from consentry.ledger import merkle
from consentry.ledger.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint, verify_checkpoint
from consentry.ledger.errors import CheckpointInvalid, KeyUnknown, NoteInvalid
from consentry.ledger.merkle import EMPTY_ROOT
from consentry.ledger.note import Signer, Verifier
from consentry.ledger.tiles import DirectoryReader, TileNodes

SIGNER = Signer("example.com/log", bytes(32))
ROOT = base64.b64encode(bytes(32)).decode()


def test_round_trip_with_extensions() -> None:
    checkpoint = Checkpoint("example.com/log", 7, bytes(range(32)), ("one", "two 2"))
    signed = sign_checkpoint(checkpoint, [SIGNER])
    assert verify_checkpoint(signed, [SIGNER.verifier], "example.com/log").checkpoint == checkpoint
    assert read_checkpoint(signed) == checkpoint
    with pytest.raises(CheckpointInvalid, match="not of"):
        verify_checkpoint(signed, [SIGNER.verifier], "example.com/other")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "log\n1\n",
        f"log\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"log\n01\n{ROOT}\n",
        f"log\n-1\n{ROOT}\n",
        f"log\n+1\n{ROOT}\n",
        f"log\n1 \n{ROOT}\n",
        f"log\n\u0661\n{ROOT}\n",
        f"log\n1_0\n{ROOT}\n",
        f"log\n9223372036854775808\n{ROOT}\n",
        f"log\n{'9' * 5000}\n{ROOT}\n",
        f"log\n1\n{ROOT[:-1]}\n",
        f"log\n1\n{ROOT[:-2]}B=\n",
        f"log\n1\n{ROOT}=\n",
        "log\n1\nAAAA\n",
        f"log\n1\n{ROOT}\n\n",
        f"log\n1\n{ROOT}\n\nextension\n",
    ],
)
def test_malformed_checkpoints_are_refused(text: str) -> None:
    with pytest.raises(CheckpointInvalid):
        Checkpoint.parse(text)


def test_g10_size_zero_has_the_root_of_the_empty_tree_only() -> None:
    assert Checkpoint.parse(f"log\n0\n{base64.b64encode(EMPTY_ROOT).decode()}\n").size == 0
    with pytest.raises(CheckpointInvalid, match="empty"):
        Checkpoint.parse(f"log\n0\n{ROOT}\n")
    with pytest.raises(CheckpointInvalid):
        Checkpoint("log", 1, b"")


def test_tessera_log_every_pair_of_sizes_is_consistent(shared_ledger: Path) -> None:
    log = shared_ledger / "tessera-testlog"
    verifier = Verifier.parse((log / "testdata.vkey").read_text().strip())
    found = [verify_checkpoint((log / f"checkpoint.{size}").read_bytes(), [verifier]).checkpoint for size in range(16)]
    assert [c.size for c in found] == list(range(16))
    assert verify_checkpoint((log / "checkpoint").read_bytes(), [verifier]).checkpoint in found
    for new in found[1:]:
        nodes = TileNodes(DirectoryReader(log), new.size)
        assert merkle.root(new.size, nodes) == new.root
        for old in found[1 : new.size + 1]:
            proof = merkle.consistency_proof(old.size, new.size, nodes)
            merkle.verify_consistency(old.size, new.size, old.root, new.root, proof)


@pytest.mark.parametrize("size", [1, 256, 600])
def test_golden_logs_verify(shared_ledger: Path, size: int) -> None:
    log = shared_ledger / "golden" / f"log-{size}"
    verifier = Verifier.parse((shared_ledger / "golden" / f"log-{size}.vkey").read_text().strip())
    checkpoint = verify_checkpoint((log / "checkpoint").read_bytes(), [verifier]).checkpoint
    assert checkpoint.size == size
    assert merkle.root(size, TileNodes(DirectoryReader(log), size)) == checkpoint.root


def test_another_key_and_a_changed_text_are_told_apart() -> None:
    signed = sign_checkpoint(Checkpoint("example.com/log", 7, bytes(32)), [SIGNER])
    with pytest.raises(KeyUnknown):
        verify_checkpoint(signed, [Signer("example.com/log", bytes([9]) * 32).verifier])
    with pytest.raises(NoteInvalid, match="does not verify"):
        verify_checkpoint(signed.replace(b"\n7\n", b"\n8\n"), [SIGNER.verifier])
