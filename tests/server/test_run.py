"""Starting and stopping the server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from consentry.server.run import NotSafe, check_address, is_loopback, listen
from consentry.server.serving import PortTaken
from consentry.server.settings import Settings

SCRIPT = """
import sys
from pathlib import Path
from consentry.server.run import run
from consentry.server.settings import load
run(load(Path(sys.argv[2]), data_dir=Path(sys.argv[1]), environ={}), port=0, no_browser=True)
"""


def _with(**server: object) -> Settings:
    return Settings.model_validate({"server": server})


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])
def test_an_address_that_others_reach_needs_tls_or_a_proxy(host) -> None:
    with pytest.raises(NotSafe):
        check_address(_with(host=host))
    check_address(_with(host=host, behind_proxy=True))
    check_address(_with(host=host, tls_certificate="c.pem", tls_key="k.pem"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_the_loopback_needs_nothing(host) -> None:
    assert is_loopback(host)
    check_address(_with(host=host))


def test_a_taken_port_is_named() -> None:
    first = listen(_with(port=0))
    try:
        first.listen()
        with pytest.raises(PortTaken):
            listen(_with(port=first.getsockname()[1]))
    finally:
        first.close()


async def _start(tmp_path: Path) -> tuple[asyncio.subprocess.Process, list[str]]:
    """A server process, and the lines that it printed once it was ready."""
    settings = tmp_path / "consentry.toml"
    settings.write_text('[log]\nlevel = "error"\n', "utf-8")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, str(tmp_path / "data"), str(settings), stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )  # fmt: skip
    assert process.stdout is not None
    lines = [(await asyncio.wait_for(process.stdout.readline(), 60)).decode().strip() for _ in range(4)]
    return process, lines


async def _stop(process: asyncio.subprocess.Process, how: signal.Signals) -> int:
    process.send_signal(how)
    return await asyncio.wait_for(process.wait(), 30)


async def test_the_first_start_prints_where_everything_is_and_a_link_that_signs_in(tmp_path) -> None:
    process, lines = await _start(tmp_path)
    try:
        origin = lines[0].split()[-1]
        assert lines[1].endswith(str(tmp_path / "data"))
        assert "admin@localhost" in lines[2]
        token = lines[3].partition("#token=")[2]
        async with httpx2.AsyncClient(base_url=origin, trust_env=False) as http:
            answer = await http.post("/v1/sessions", json={"token": token})
            assert answer.status_code == 201
            session = answer.json()["session"]
            who = await http.get("/v1/sessions/current", headers={"authorization": f"Bearer {session}"})
            assert who.json()["groups"] == ["admins"]
            assert (await http.get("/readyz")).json()["ready"]
    finally:
        assert await _stop(process, signal.SIGTERM) == 0


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_c6_who_waits_is_answered_when_a_signal_stops_the_server_and_it_ends_with_0(tmp_path, how) -> None:
    process, lines = await _start(tmp_path)
    async with httpx2.AsyncClient(base_url=lines[0].split()[-1], trust_env=False, timeout=30) as http:
        token = lines[3].partition("#token=")[2]
        session = (await http.post("/v1/sessions", json={"token": token})).json()["session"]
        http.headers["authorization"] = f"Bearer {session}"
        await http.post("/v1/people", json={"email": "other@example.com", "groups": ["admins"]})
        body = {"operation": "secret.read", "resource": "vault"}
        action = (await http.post("/v1/actions", json=body)).json()
        assert action["state"] == "pending"
        waiting = asyncio.create_task(http.get(f"/v1/actions/{action['id']}", params={"wait": 30}))
        while "consentry_waiting_callers 1" not in (await http.get("/metrics")).text:
            await asyncio.sleep(0.02)
        assert await _stop(process, how) == 0
        answer = await waiting
    assert (answer.status_code, answer.json()["state"]) == (200, "pending")


async def test_c6_nothing_is_lost_by_a_kill(tmp_path) -> None:
    process, lines = await _start(tmp_path)
    token = lines[3].partition("#token=")[2]
    async with httpx2.AsyncClient(base_url=lines[0].split()[-1], trust_env=False) as http:
        session = (await http.post("/v1/sessions", json={"token": token})).json()["session"]
        headers = {"authorization": f"Bearer {session}"}
        body = {"operation": "dataset.read", "resource": "books"}
        action = (await http.post("/v1/actions", json=body, headers=headers)).json()
    await _stop(process, signal.SIGKILL)

    settings = tmp_path / "consentry.toml"
    again = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SCRIPT, str(tmp_path / "data"), str(settings), stdout=asyncio.subprocess.PIPE
    )
    assert again.stdout is not None
    origin = (await asyncio.wait_for(again.stdout.readline(), 60)).decode().split()[-1]
    await asyncio.wait_for(again.stdout.readline(), 60)
    hint = (await asyncio.wait_for(again.stdout.readline(), 60)).decode()
    assert f"{origin}/sign-in " in hint, "somebody signed in before: there is no link, and the way in is said"
    assert "consentry up --sign-in EMAIL" in hint
    try:
        async with httpx2.AsyncClient(base_url=origin, trust_env=False) as http:
            found = await http.get(f"/v1/actions/{action['id']}", headers=headers)
            assert found.json()["digest"] == action["digest"]
    finally:
        await _stop(again, signal.SIGTERM)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_server_may_have_as_many_connections_as_its_hard_limit_allows() -> None:
    """In a process of its own, since a limit that was lowered for good stays so."""
    script = (
        "import resource as r; from consentry.server.serving import allow_files; "
        "hard = min(r.getrlimit(r.RLIMIT_NOFILE)[1], 4096); r.setrlimit(r.RLIMIT_NOFILE, (256, hard)); "
        "allow_files(50_000); first = r.getrlimit(r.RLIMIT_NOFILE); "
        "r.setrlimit(r.RLIMIT_NOFILE, (256, hard)); allow_files(300); second = r.getrlimit(r.RLIMIT_NOFILE); "
        "allow_files(100); print(first == (hard, hard), second == (300, hard), r.getrlimit(r.RLIMIT_NOFILE) == second)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 3
