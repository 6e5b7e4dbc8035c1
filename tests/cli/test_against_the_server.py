"""Commands against a whole server: sessions, deciding, and running a command that was consented to."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consentry import Consentry
from consentry.cli import saved
from consentry.cli.requests import STATES
from consentry.cli.root import run
from consentry.client import Decision
from consentry.consent.states import RequestState
from consentry.demo.people import Someone

House = Any  # of tests/conftest.py


@pytest.fixture
def at(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[str], None]:
    """Sit down as somebody."""
    monkeypatch.setenv("CONSENTRY_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CONSENTRY_URL", house.url)
    monkeypatch.delenv("CONSENTRY_TOKEN", raising=False)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")

    def sit(who: str) -> None:
        monkeypatch.setenv("CONSENTRY_TOKEN", house.tokens[who])

    return sit


def pending(house: House, to: str) -> Decision:
    with Consentry(house.url, house.tokens["agent"]) as gate:
        return gate.submit("dataset.export", resource="customers", arguments={"to": to})


def test_sign_in_keeps_the_session_for_its_owner_only(
    house: House, at: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Someone(house.url, house.tokens["admin"]) as admin:
        link = admin.invite("joon@example.org", "Joon").link
    assert run(["login", link]) == 0
    assert "signed in" in capsys.readouterr().out
    file = tmp_path / "config" / "session.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run(["whoami", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["email"] == "joon@example.org"
    assert run(["login", link]) == 1, "a link works once"
    capsys.readouterr()
    file.chmod(0o644)
    assert run(["whoami"]) == 2
    assert "can be read by others" in capsys.readouterr().err
    file.chmod(0o600)
    token = json.loads(file.read_text())["token"]
    assert run(["logout"]) == 0
    assert not file.exists()
    with Someone(house.url, token) as nobody, pytest.raises(Exception, match="sign in again"):
        nobody.get("/v1/sessions/current")


def test_a_session_is_not_sent_to_another_server(
    house: House, at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    saved.save(saved.Saved(house.url, house.tokens["joon"]))
    monkeypatch.setenv("CONSENTRY_URL", "http://127.0.0.1:9")
    assert run(["whoami"]) == 1
    assert "nobody is signed in at `http://127.0.0.1:9`" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["127.0.0.1:7272", "localhost:7272", "ftp://127.0.0.1:7272"])
def test_an_address_without_its_scheme_is_told(
    at: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str
) -> None:
    monkeypatch.setenv("CONSENTRY_URL", url)
    for words in (["whoami"], ["login", "LINK"], ["ledger", "checkpoint"]):
        assert run(words) == 2
        assert f"did you mean `http://{url.removeprefix('ftp://')}`?" in capsys.readouterr().err


def test_a_state_that_there_is_not_is_told_with_those_that_there_are(
    at: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    at("joon")
    assert run(["requests", "list", "--state", "bogus"]) == 2
    assert "pending, approved, denied, expired, withdrawn" in capsys.readouterr().err


def test_whoever_has_a_part_in_an_action_is_told_so_in_the_list(
    house: House, at: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    request = str(pending(house, "whose part").request_id)
    at("mara")
    assert run(["requests", "list"]) == 0
    (line,) = [one for one in capsys.readouterr().out.splitlines() if one.startswith(request)]
    assert line.endswith("have a part in it")


def test_the_states_of_requests_are_all_there() -> None:
    assert tuple(RequestState) == STATES


def test_a_steward_approves_what_was_shown(
    house: House, at: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    request = str(pending(house, "cli approves").request_id)
    at("joon")
    assert run(["requests", "list", "--mine"]) == 0
    assert request in capsys.readouterr().out
    assert run(["requests", "show", request, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["shown_digest"]
    assert run(["requests", "approve", request, "--reason", "ok", "--shown", "00" * 32]) == 1
    assert "[stale_view]" in capsys.readouterr().err
    assert run(["requests", "approve", request, "--reason", "ok", "--shown", shown]) == 0
    assert "approved" in capsys.readouterr().out


@pytest.mark.parametrize(("who", "code"), [("mara", "not_eligible"), ("agent", "not_allowed")])
def test_a4_the_command_line_refuses_whom_the_api_refuses(
    house: House, at: Callable[[str], None], capsys: pytest.CaptureFixture[str], who: str, code: str
) -> None:
    request = str(pending(house, f"{who} tries").request_id)
    at(who)
    assert run(["requests", "approve", request, "--reason", "mine"]) == 1
    assert f"[{code}]" in capsys.readouterr().err


def test_d6_what_a_request_says_cannot_steer_the_terminal(
    house: House, at: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    request = str(pending(house, "\x1b[2Japproved\u202e \u200b").request_id)
    at("joon")
    for words in (["requests", "show", request], ["requests", "list"]):
        assert run(words) == 0
        out = capsys.readouterr().out
        assert not {"\x1b", "\u202e", "\u200b"} & set(out)


def test_what_is_typed_cannot_lead_to_another_path(
    at: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    at("admin")
    for words in (["requests", "show", "../people"], ["people", "disable", "../../sessions/current"]):
        assert run(words) == 1
        assert "[" in capsys.readouterr().err


# Running a command.


def consent(house: House, verdict: str = "approve", before: Callable[[], object] = lambda: None) -> threading.Thread:
    """Decide the next pending `shell.exec`, from a thread of its own."""

    def decide() -> None:
        pause = threading.Event()
        with Someone(house.url, house.tokens["admin"]) as admin:
            for _ in range(300):
                page = admin.get("/v1/requests?state=pending&operation=shell.exec")["items"]
                for one in page:  # type: ignore[union-attr]
                    before()
                    admin.vote(str(one["id"]), verdict, "as shown")  # type: ignore[index, call-overload]
                    return
                pause.wait(0.1)

    thread = threading.Thread(target=decide)
    thread.start()
    return thread


def consentry(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "consentry", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)


def test_a_command_runs_once_with_what_was_bound(house: House, at: Callable[[str], None], tmp_path: Path) -> None:
    at("agent")
    script = Path("greet.sh")
    script.write_text('#!/bin/sh\necho "hello $1 $COLOUR $LEAK $(cat "$2")" >> "$3"\n')
    script.chmod(0o755)
    Path("note.txt").write_text("from the note")
    out = tmp_path / "out.txt"
    deciding = consent(house)
    environment = {**os.environ, "COLOUR": "blue", "LEAK": "must not be passed"}
    words = ["--reason", "greet", "--env", "COLOUR", "--", "./greet.sh", "you", "note.txt", str(out)]
    done = consentry("run", *words, env=environment)
    deciding.join()
    assert done.returncode == 0, done.stderr
    assert "waiting for consent: http" in done.stderr
    assert out.read_text() == "hello you blue  from the note\n"


def test_b1_a_script_rewritten_while_people_thought_does_not_run(
    house: House, at: Callable[[str], None], tmp_path: Path
) -> None:
    at("agent")
    out = tmp_path / "out.txt"
    script = Path("greet.sh")
    script.write_text(f"echo good > {out}\n")
    path = script.absolute()
    deciding = consent(house, before=lambda: path.write_text(f"echo evil > {out}\n"))
    done = consentry("run", "--", "sh", "greet.sh")
    deciding.join()
    assert done.returncode == 3
    assert "[operand_changed]" in done.stderr
    assert not out.exists()


def test_a_denied_command_does_not_run(house: House, at: Callable[[str], None], tmp_path: Path) -> None:
    at("agent")
    deciding = consent(house, "deny")
    done = consentry("run", "--", "touch", str(tmp_path / "ran"))
    deciding.join()
    assert done.returncode == 3
    assert "as shown" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_command_that_fails_is_recorded_so(house: House, at: Callable[[str], None]) -> None:
    at("agent")
    deciding = consent(house)
    done = consentry("run", "--", "sh", "-c", "exit 7")
    deciding.join()
    assert done.returncode == 1
    assert "the command ended with 7" in done.stderr
    with Someone(house.url, house.tokens["agent"]) as agent:
        newest = agent.get("/v1/actions?operation=shell.exec&limit=1")["items"][0]  # type: ignore[index]
    assert newest["state"] == "failed"  # type: ignore[index, call-overload]
    assert newest["outcome"]["summary"] == "exit 7"  # type: ignore[index, call-overload]


def test_standard_input_is_pinned_and_passed_on(house: House, at: Callable[[str], None], tmp_path: Path) -> None:
    at("agent")
    deciding = consent(house)
    done = consentry("run", "--stdin", "--", "tee", str(tmp_path / "copy"), input="select 1")
    deciding.join()
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy").read_text() == "select 1"


def test_waiting_that_runs_out_is_4(at: Callable[[str], None]) -> None:
    at("agent")
    done = consentry("run", "--wait", "1s", "--", "true")
    assert done.returncode == 4
    assert "[still_pending]" in done.stderr
    assert re.search(r"consentry requests withdraw req_\w+", done.stderr)


def test_a_grant_for_an_agent_that_is_not_there_is_wrong_input(at: Callable[[str], None]) -> None:
    at("joon")
    bounds = ["--operation", "dataset.export", "--resource", "customers", "--argument", "to=prefix:vendor-"]
    given = ["--uses", "3", "--expires", "7d", "--reason", "weekly"]
    done = consentry("grants", "create", "--actor", "elt", *bounds, *given)
    assert done.returncode == 2
    assert "`elt`" in done.stderr
    done = consentry("grants", "create", "--actor", "etl", *bounds, *given)
    assert done.returncode == 0, done.stderr
    pinned = ["--pin", f"plan=out={'ab' * 32}", "--context", "/run/name=one_of:[1,2]"]
    done = consentry("grants", "create", "--actor", "etl", *bounds, *pinned, *given)
    assert done.returncode == 0, done.stderr
    listed = consentry("grants", "list", "--open").stdout
    assert "dataset.export customers to=prefix:vendor-" in listed
    assert f"customers to=prefix:vendor- context /run/name=one_of:[1,2] plan=out={'ab' * 32}" in listed
    assert "{" not in listed


@pytest.mark.parametrize("form", ["log", "log.zip", "log.tar"])
def test_an_export_does_not_write_over_another(house: House, tmp_path: Path, form: str) -> None:
    words = ["ledger", "export", str(tmp_path / form), "--data", str(house.data), "--config", str(house.config)]
    assert consentry(*words).returncode == 0
    done = consentry(*words)
    assert done.returncode == 2
    assert "[invalid_input]" in done.stderr
    words[2] = str(tmp_path / "nowhere" / "log.zip")
    assert consentry(*words).returncode == 2


def test_signing_in_without_a_link_and_without_a_terminal_says_what_to_do(at: Callable[[str], None]) -> None:
    at("joon")
    done = consentry("login")
    assert done.returncode == 2
    assert "consentry login LINK" in done.stderr


@pytest.mark.parametrize(
    "words",
    [["--", "no-such-program"], ["--env", "NO_SUCH_VARIABLE", "--", "true"], ["--wait", "soon", "--", "true"]],
    ids=["program", "variable", "duration"],
)
def test_what_cannot_be_bound_is_wrong_usage(at: Callable[[str], None], words: list[str]) -> None:
    at("agent")
    done = consentry("run", *words)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr


def test_the_log_is_served_to_auditors(house: House, at: Callable[[str], None], tmp_path: Path) -> None:
    bundle = tmp_path / "log"
    assert run(["ledger", "export", str(bundle), "--data", str(house.data), "--config", str(house.config)]) == 0
    for source in ([str(bundle)], ["--data", str(house.data), "--config", str(house.config)]):
        child = subprocess.Popen(
            [sys.executable, "-m", "consentry", "ledger", "serve", "--port", "0", *source],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        url = child.stdout.readline().split()[-1].removesuffix("/checkpoint")
        try:
            with Someone(url, "") as anybody:
                assert anybody.raw("/checkpoint").startswith(b"consentry.local/ledger\n")
                assert b"consentry.local" in anybody.raw("/key")
                with pytest.raises(Exception, match="404"):
                    anybody.raw("/tile/../ledger.key")
        finally:
            child.terminate()
            ended = child.wait(20)
            child.stdout.close()
        assert ended == 0


def test_watching_sees_requests_come(house: House, at: Callable[[str], None]) -> None:
    at("joon")
    child = subprocess.Popen(
        [sys.executable, "-m", "consentry", "requests", "watch", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        assert "watching" in child.stderr.readline()
        asking = threading.Event()
        asker = threading.Thread(target=_ask_until, args=(house, asking))
        asker.start()
        seen = json.loads(child.stdout.readline())
        asking.set()
        asker.join()
    finally:
        child.terminate()
        child.wait(20)
        child.stdout.close()
        child.stderr.close()
    assert {"event", "data"} <= seen.keys()


def _ask_until(house: House, done: threading.Event) -> None:
    for index in range(100):
        pending(house, f"watched {index}")
        if done.wait(0.3):
            return


def test_policy_replay_judges_the_servers_own_history(
    house: House, at: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = pending(house, "replayed")
    candidate = tmp_path / "candidate"
    candidate.mkdir()
    (candidate / "all.cedar").write_text(
        '@id("never") @reason("no exports") forbid (principal, action == Action::"dataset.export", resource);'
    )
    at("admin")
    assert run(["policy", "replay", "--since", "1h", "--policies", str(candidate), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"before": "review", "after": "deny", "id": asked.id}.items() <= next(
        one for one in answer["changes"] if one["id"] == asked.id
    ).items()
    assert run(["policy", "replay", "--since", "1h"]) == 0
    assert "0 would be judged otherwise" in capsys.readouterr().out
    at("agent")
    assert run(["policy", "replay", "--since", "1h"]) != 0
