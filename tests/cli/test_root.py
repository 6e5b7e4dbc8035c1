"""Exit codes, error lines, and what every command does alike."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from consentry.cli import root
from consentry.cli.root import COMMANDS, run
from consentry.client.errors import Denied, Expired, OperandChanged, Refused, StillPending, Unreachable
from consentry.errors import ConsentryError, InvalidInput


@pytest.fixture
def fails_with(monkeypatch: pytest.MonkeyPatch) -> object:
    def make(error: BaseException) -> None:
        def build() -> object:
            def command(**_options: object) -> None:
                raise error

            return command

        monkeypatch.setattr(root, "build", build)

    return make


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Denied("no"), 3),
        (OperandChanged("changed"), 3),
        (Expired("late"), 4),
        (StillPending("waiting"), 4),
        (InvalidInput("what"), 2),
        (Unreachable("gone"), 1),
        (Refused("no", code="not_granted", status=403), 3),
        (Refused("no", code="not_eligible", status=403), 1),
        (Refused("what", code="invalid_fields", status=422), 2),
        (KeyboardInterrupt(), 130),
        (BrokenPipeError(), 1),
        (RuntimeError("secret text"), 1),
    ],
    ids=lambda part: type(part).__name__ if isinstance(part, BaseException) else None,
)
def test_errors_end_with_their_code_and_one_line(
    error: BaseException, code: int, fails_with: object, capsys: pytest.CaptureFixture[str]
) -> None:
    fails_with(error)  # type: ignore[operator]
    assert run([]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert len(said.err.splitlines()) <= 1
    if isinstance(error, ConsentryError):
        assert f"[{error.code}]" in said.err
    if isinstance(error, RuntimeError):
        assert "secret text" not in said.err


@pytest.mark.parametrize(
    "words",
    [["nothing"], ["requests", "nothing"], ["up", "--port", "x"], ["verify"], ["up", "--no-such-option"]],
    ids=" ".join,
)
def test_wrong_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Usage" in said.err


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert "Usage: consentry" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    heavy = (
        "httpx2",
        "pydantic",
        "sqlalchemy",
        "cedarpy",
        "pyarrow",
        "starlette",
        "fastapi",
        "uvicorn",
        "rich",
        "numpy",
    )
    program = (
        "import sys; from consentry.cli.root import run; code = run(['--help']);"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "break-glass" in done.stdout


def test_the_sdk_is_imported_when_it_is_asked_for() -> None:
    program = "import sys, consentry; print('httpx2' in sys.modules); consentry.Consentry; print(consentry.Denied.code)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "denied"]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from consentry import __version__

    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"consentry {__version__}\n"


def test_nobody_signed_in_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONSENTRY_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("CONSENTRY_TOKEN", raising=False)
    assert run(["requests", "list"]) == 1
    said = capsys.readouterr()
    assert "run `consentry login`" in said.err
    assert "[not_signed_in]" in said.err


def test_json_is_one_document(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(str(tmp_path))
    run(["doctor", "--json", "--data", str(tmp_path)])
    assert json.loads(capsys.readouterr().out)["findings"]
