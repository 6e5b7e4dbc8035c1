"""Accepted by an implementation that is not ours: golang.org/x/mod/sumdb reads our notes, tiles and entries.

Needs the `go` command and the source of golang.org/x/mod in a GOPATH; Debian: `golang-go golang-golang-x-mod-dev`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consentry.ledger.bundle import write_bundle
from consentry.ledger.note import Signer

GOPATH = Path("/usr/share/gocode")
SUMDB = GOPATH / "src" / "golang.org" / "x" / "mod" / "sumdb" / "tlog"


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program of this directory, built from installed source without reaching for the network."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("the `go` command is not installed")
    if not SUMDB.is_dir():
        pytest.skip("the source of golang.org/x/mod is not installed (Debian: golang-golang-x-mod-dev)")
    folder = tmp_path_factory.mktemp("go")
    program = folder / "verify"
    source = Path(__file__).parent / "go" / "verify.go"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GOPATH": str(GOPATH),
        "GOCACHE": str(folder / "cache"),
        "GO111MODULE": "off",
        "GOPROXY": "off",
        "GOFLAGS": "",
    }
    subprocess.run([go, "build", "-o", str(program), str(source)], check=True, env=env, cwd=folder)
    return program


def accepted(verifier: Path, directory: Path, vkey: str) -> tuple[int, str]:
    command = [str(verifier), str(directory), vkey, "example.com/consentry"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stdout.strip()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("actions", [1, 43, 100])
def test_sumdb_accepts_our_logs(
    verifier: Path, log_of: Callable[..., Any], story: Callable[..., Any], tmp_path: Path, actions: int
) -> None:
    log = log_of([event for n in range(actions) for event in story(f"act{n:03d}")])
    write_bundle(tmp_path / "log", log.files.items())
    vkey = log.signer.verifier.vkey
    assert accepted(verifier, tmp_path / "log", vkey) == (0, f"ok {actions * 6}")
    other = Signer(log.signer.name, bytes([3]) * 32).verifier.vkey
    assert accepted(verifier, tmp_path / "log", other)[0] == 1


@pytest.mark.timeout(300)
def test_sumdb_refuses_our_log_once_it_was_changed(verifier: Path, log: Any, tmp_path: Path) -> None:
    for number, path in enumerate(("checkpoint", "tile/0/001", "tile/1/000.p/2", "tile/entries/002.p/88")):
        files = dict(log.files)
        files[path] = files[path][:40] + bytes([files[path][40] ^ 1]) + files[path][41:]
        directory = tmp_path / str(number)
        write_bundle(directory, files.items())
        assert accepted(verifier, directory, log.signer.verifier.vkey)[0] == 1, path
