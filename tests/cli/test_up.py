"""`consentry up`: what it prints, what it refuses, and the demo's request that waits in the inbox."""

from __future__ import annotations

import csv
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from consentry.cli.root import run
from consentry.demo.people import Someone, sign_in
from consentry.ledger.report import Outcome
from consentry.ledger.verify import verify_path


@contextmanager
def up(data: Path, *words: str) -> Iterator[tuple[str, str]]:
    """A server; answers its address and its first administrator's one-time token."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    command = [sys.executable, "-m", "consentry", "up", "--no-browser", "--port", "0", "--data", str(data), *words]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        found = None
        while not found and (line := child.stdout.readline()):
            found = re.search(r"(http://\S+)/sign-in#token=(\S+)", line)
        assert found, child.stderr.read()
        yield found.group(1), found.group(2)
    finally:
        child.send_signal(signal.SIGTERM)
        complained = child.communicate(timeout=30)[1]
    assert (child.returncode, [line for line in complained.splitlines() if not line.startswith("{")]) == (0, [])


def test_the_demos_request_waits_in_the_inbox_and_happens_once_consented_to(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, "--demo") as (url, link), Someone(url, sign_in(url, link)) as admin:
        assert stat.S_IMODE(data.stat().st_mode) == 0o700
        pause = threading.Event()
        requests: list[object] = []
        for _ in range(300):
            requests = list(admin.get("/v1/requests?state=pending&mine=true")["items"])  # type: ignore[arg-type]
            if requests:
                break
            pause.wait(0.1)
        (request,) = requests
        assert request["action"]["operation"] == "dataset.export"  # type: ignore[index]
        assert request["facts"]["findings"]["total"] > 1000  # type: ignore[index]
        assert not (data / "demo" / "customers-sanitized.csv").exists()
        admin.vote(str(request["id"]), "approve", "go on")  # type: ignore[index]
        receipts: list[Path] = []
        for _ in range(300):
            receipts = list((data / "demo").glob("receipt-*.json"))
            if receipts and receipts[0].stat().st_size:
                break
            pause.wait(0.1)
        (tmp_path / "key").write_bytes(admin.raw("/ledger/key"))
    assert verify_path(receipts[0], tmp_path / "key").outcome is Outcome.VALID
    with (data / "demo" / "customers.csv").open(encoding="utf-8", newline="") as file:
        addresses = [row["email"] for row in csv.DictReader(file)]
    text = (data / "demo" / "customers-sanitized.csv").read_text("utf-8")
    assert len(text.splitlines()) == len(addresses) + 1
    assert not [one for one in addresses if one in text]


def test_a_second_start_on_the_same_data_goes_on(tmp_path: Path) -> None:
    with up(tmp_path / "data", "--demo") as (url, link):
        token = sign_in(url, link)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    command = [sys.executable, "-m", "consentry", "up", "--no-browser", "--port", "0"]
    child = subprocess.Popen(
        [*command, "--data", str(tmp_path / "data"), "--demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert child.stdout is not None
    try:
        text = child.stdout.readline() + child.stdout.readline()
        url = str(re.search(r"http://\S+", text).group())  # type: ignore[union-attr]
        with Someone(url, token) as admin:
            assert admin.get("/v1/sessions/current")["email"] == "admin@localhost"
    finally:
        child.terminate()
        child.wait(30)
        child.stdout.close()


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("CONSENTRY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_it_does_not_listen_where_others_could_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["up", "--host", "0.0.0.0", "--port", "0", "--data", str(tmp_path / "data")]) == 1
    assert "[not_safe]" in capsys.readouterr().err


def test_a_port_that_is_taken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert run(["up", "--port", port, "--data", str(tmp_path / "data")]) == 1
        assert f"127.0.0.1:{port}" in (said := capsys.readouterr().err)
        assert "[port_taken]" in said
        (tmp_path / "bundle").mkdir()
        assert run(["ledger", "serve", str(tmp_path / "bundle"), "--port", port]) == 1
    assert capsys.readouterr().err == said


def test_policies_that_do_not_load_are_told_one_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.cedar").write_text("permit (principal, action, resource);\n@id('x') permit")
    (tmp_path / "policies" / "b.cedar").write_text("permit (principal, action, resource);")
    (tmp_path / "consentry.toml").write_text('[policy]\ndir = "policies"\n')
    assert run(["up", "--port", "0", "--data", str(tmp_path / "data")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("error: a.cedar:2: ")
    assert first.endswith("[policy-syntax]")
    assert second.startswith("error: b.cedar:1: ")
    assert second.endswith("[policy-id-missing]")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[server]\nprot = 1\n", "server.port"),
        ("[server]\nport = 'x'\n", "server.port"),
        ("[store\n", "consentry.toml"),
        ("[channels.slack]\nbot_token = 'xoxb-secret-itself'\n", "channels.slack.bot_token"),
    ],
    ids=["unknown key", "wrong type", "not TOML", "a secret in the file"],
)
def test_settings_that_are_wrong_stop_the_start(
    tmp_path: Path, text: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "consentry.toml").write_text(text)
    assert run(["up", "--port", "0", "--data", str(tmp_path / "data")]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert "secret-itself" not in said
    assert not (tmp_path / "data").exists()
