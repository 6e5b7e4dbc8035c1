"""The documents are true: every command, setting and event is in them, and what they show is run here."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consentry import Consentry
from consentry.cli import saved
from consentry.cli.root import COMMANDS, load, run
from consentry.demo.people import Someone

House = Any  # of tests/conftest.py

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SHOWN = re.compile(r"```(console|python|sh|toml|text|cedar|json|http)\n(.*?)```", re.DOTALL)

RUN_ELSEWHERE = {
    "consentry up": "tests/conftest.py",
    "consentry demo --auto": "tests/cli/test_demo.py",
}
"""Commands that a test of their own runs, by the file in which it does."""

EXPECTED = {"consentry run": 4}
"""What does not end with 0: nobody consents to the command within its second."""


def shown(path: Path, kind: str) -> list[str]:
    return [text for found, text in SHOWN.findall(path.read_text("utf-8")) if found == kind]


def commands(path: Path) -> list[str]:
    lines = [line for block in shown(path, "console") for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines), f"{path.name}: show commands only, one a line, after `$ `"
    return [line.removeprefix("$ ") for line in lines]


def names() -> Iterator[tuple[str, str | None]]:
    for name in COMMANDS:
        command = load(name)
        yield name, None
        for sub in getattr(command, "commands", {}):
            yield name, sub


@pytest.mark.parametrize(("name", "sub"), list(names()), ids=lambda part: part or "-")
def test_each_command_is_in_the_manual(name: str, sub: str | None) -> None:
    text = (DOCS / "cli.md").read_text("utf-8")
    assert f"`consentry {name}" in text
    if sub is not None:
        assert re.search(rf"`(consentry {name} )?{sub}`", text), f"`consentry {name} {sub}` is not in docs/cli.md"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_line_of_help_is_the_commands_own(name: str) -> None:
    command = load(name)
    mine = COMMANDS[name].help
    if not hasattr(command, "commands"):
        return
    assert (command.help or "").splitlines()[0] == mine


def test_each_setting_is_documented() -> None:
    from consentry.server.settings import describe

    text = (DOCS / "settings.md").read_text("utf-8")
    missing = [key.name for key in describe() if f"`{key.name}`" not in text]
    assert not missing


def test_each_event_is_documented() -> None:
    from consentry.ledger.entry_types import ENTRY_TYPES

    text = (DOCS / "ledger.md").read_text("utf-8")
    assert not [name for name in ENTRY_TYPES if f"`{name}`" not in text]


def test_each_error_of_the_sdk_is_documented() -> None:
    import consentry.client as client
    from consentry.errors import ConsentryError

    text = (DOCS / "sdk.md").read_text("utf-8")
    kinds = [name for name in client.__all__ if _is_error(getattr(client, name), ConsentryError)]
    assert len(kinds) > 10
    assert not [name for name in kinds if f"`{name}`" not in text]


def _is_error(kind: object, base: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, base)


def test_links_lead_somewhere() -> None:
    broken = []
    for path in (ROOT / "README.md", *DOCS.glob("*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text("utf-8")):
            if not (path.parent / target).exists():
                broken.append(f"{path.name}: {target}")
    assert not broken


def test_make_targets_that_are_shown_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in re.findall(r"^make ([a-z-]+)", "\n".join(shown(ROOT / "README.md", "sh")), re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


@pytest.mark.parametrize(("command", "file"), RUN_ELSEWHERE.items())
def test_what_is_run_elsewhere_is_run_there(command: str, file: str) -> None:
    words = command.split()[1:]
    text = (ROOT / file).read_text("utf-8")
    assert all(f'"{word}"' in text for word in words)


@pytest.fixture
def desk(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A place to type commands in, as Joon, and what the placeholders of the documents stand for."""
    monkeypatch.chdir(house.folder)
    monkeypatch.setenv("CONSENTRY_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("CONSENTRY_URL", house.url)
    monkeypatch.setenv("CONSENTRY_DATA", str(house.data))
    monkeypatch.delenv("CONSENTRY_TOKEN", raising=False)
    saved.save(saved.Saved(house.url, house.tokens["joon"]))
    (house.folder / "cleanup.sh").write_text("echo clean\n")
    for left in ("receipt.json", "log.zip"):
        (house.folder / left).unlink(missing_ok=True)
    with Someone(house.url, house.tokens["joon"]) as joon:
        (house.folder / "ledger.vkey").write_bytes(joon.raw("/ledger/key"))
        mine = joon.post(
            "/v1/actions", {"operation": "shell.exec", "resource": "host/a", "arguments": {"n": tmp_path.name}}
        )
    with Someone(house.url, house.tokens["admin"]) as admin:
        link = admin.invite("joon@example.org", "Joon").link
    with Consentry(house.url, house.tokens["agent"]) as gate:
        asked = [
            gate.submit("dataset.export", resource="customers", arguments={"to": f"{tmp_path.name} {to}"})
            for to in ("one", "two")
        ]
    return {
        "LINK": link,
        "REQUEST_ID": str(asked[0].request_id),
        "OTHER_REQUEST_ID": str(asked[1].request_id),
        "MY_REQUEST_ID": str(mine["request_id"]),
        "ACTION_ID": asked[0].id,
    }


@pytest.mark.parametrize("name", ["README.md", "docs/quickstart.md", "docs/cli.md"])
def test_each_shown_command_works(
    name: str, desk: dict[str, str], capsys: pytest.CaptureFixture[str], house: House
) -> None:
    for line in commands(ROOT / name):
        if line in RUN_ELSEWHERE:
            continue
        words = [desk.get(word, word) for word in shlex.split(line)]
        assert words[0] == "consentry"
        code = run(words[1:])
        said = capsys.readouterr()
        assert code == EXPECTED.get(" ".join(words[:2]), 0), f"{name}: {line}\n{said.out}\n{said.err}"
        if words[1:3] == ["grants", "create"] and (made := re.search(r"grt_\w+", said.out)):
            desk["GRANT_ID"] = made.group()


def test_the_readmes_example_runs(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSENTRY_URL", house.url)
    monkeypatch.setenv("CONSENTRY_TOKEN", house.tokens["agent"])
    (example,) = shown(ROOT / "README.md", "python")
    consenting = threading.Thread(target=_consent_to_all, args=(house, threading.Event()))
    consenting.start()
    space: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), space)
    consenting.join()
    space["gate"].close()
    with Someone(house.url, house.tokens["joon"]) as joon:
        done = joon.get("/v1/actions?operation=dataset.export&state=succeeded&limit=1")["items"]
    assert isinstance(done, list)
    assert done[0]["action"]["arguments"] == {"to": "analytics-vendor", "rows": 240}  # type: ignore[index, call-overload]


def _consent_to_all(house: House, pause: threading.Event) -> None:
    """Approve the first pending request with these arguments."""
    with Someone(house.url, house.tokens["joon"]) as joon:
        for _ in range(600):
            for one in joon.get("/v1/requests?state=pending")["items"]:  # type: ignore[union-attr]
                if one["action"]["arguments"].get("rows") == 240:  # type: ignore[index, call-overload, union-attr]
                    joon.vote(str(one["id"]), "approve", "as shown")  # type: ignore[index, call-overload]
                    return
            pause.wait(0.1)


@pytest.mark.parametrize("path", [DOCS / "sdk.md", DOCS / "quickstart.md"], ids=lambda path: path.name)
def test_each_python_example_is_python(path: Path) -> None:
    for example in shown(path, "python"):
        compile(example, path.name, "exec")
