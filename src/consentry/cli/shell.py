"""A command as an action: what is bound, and how it is started from exactly that (threats B1 and B2)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from consentry.actions import JsonObject
from consentry.client.crossing import Claim
from consentry.client.operands import OperandSource
from consentry.errors import InvalidInput

PLAIN = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER")
"""Variables that are always passed, and bound like all others."""

PROGRAM = "program"
STDIN = "standard input"
_TERRAFORM = {"apply": "terraform.apply", "destroy": "terraform.destroy"}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the caller chose beside the command line itself."""

    env: tuple[str, ...] = ()
    secret_env: tuple[str, ...] = ()
    operands: tuple[Path, ...] = ()
    stdin: bool = False
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class Command:
    """A command line, bound: `arguments` and `operands` are what people consent to."""

    argv: tuple[str, ...]
    program: Path
    cwd: Path
    env: Mapping[str, str] = field(repr=False)
    operands: Mapping[str, OperandSource]
    arguments: JsonObject
    files: Mapping[int, tuple[str, str]]
    """Position in `argv` → what stands before the path in it (`--file=` or nothing), and the operand's name."""
    in_place: bool

    @classmethod
    def bind(cls, argv: Sequence[str], chosen: Chosen) -> Self:
        """Read the command line as it is now. Raises `InvalidInput`."""
        program, cwd = _resolve(argv[0]), Path.cwd().resolve()
        files = {place: found for place, text in enumerate(argv) if place and (found := _file(text))}
        operands: dict[str, OperandSource] = {PROGRAM: program}
        operands |= {name: Path(name) for _, name in files.values()}
        operands |= {str(path): path for path in chosen.operands}
        if chosen.stdin:
            operands[STDIN] = sys.stdin.buffer.read()
        env = {name: os.environ[name] for name in PLAIN if name in os.environ}
        env |= {name: _variable(name) for name in chosen.env}
        secrets = {name: _variable(name) for name in chosen.secret_env}
        arguments: JsonObject = {
            "argv": list(argv),
            "program": str(program),
            "cwd": str(cwd),
            "host": socket.gethostname(),
            "user": os.geteuid(),
            "environment": dict(env),
            "secret_environment": sorted(secrets),
            "run_in_place": chosen.in_place,
        }
        return cls(tuple(argv), program, cwd, env | secrets, operands, arguments, files, chosen.in_place)

    @property
    def operation(self) -> str:
        """`shell.exec`, or what Terraform is told to do."""
        if self.program.name == "terraform" and len(self.argv) > 1:
            return _TERRAFORM.get(self.argv[1], "shell.exec")
        return "shell.exec"

    @property
    def resource(self) -> str:
        return f"host/{socket.gethostname()}"


def perform(command: Command, claim: Claim) -> int:
    """Start it from what was hashed for the claim, and wait. Answers its exit code; negative is a signal.

    Scripts and file arguments are private copies of those bytes. A compiled program is started where it lies, since
    many find their parts by their own place: it was hashed again a moment before.
    """
    argv = list(command.argv)
    program = command.program
    if not command.in_place:
        for place, (before, name) in command.files.items():
            argv[place] = before + str(claim.path(name))
        if _is_script(claim):
            program = claim.path(PROGRAM)
    try:
        child = subprocess.Popen(  # noqa: S603 (this is what was consented to, without a shell)
            argv,
            executable=program,
            cwd=command.cwd,
            env={**command.env, **claim.credentials},
            stdin=subprocess.PIPE if STDIN in command.operands else subprocess.DEVNULL,
        )
    except OSError as error:
        raise InvalidInput(f"`{command.argv[0]}` could not be started: {error.strerror}") from None
    with child:
        if child.stdin is not None:
            with suppress(BrokenPipeError), claim.open(STDIN) as source, child.stdin:  # it may not want all of it
                shutil.copyfileobj(source, child.stdin)
        return _wait(child)


def _wait(child: subprocess.Popen[bytes]) -> int:
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:  # the terminal told the child too: its end is ours to report
            continue


def _is_script(claim: Claim) -> bool:
    with claim.open(PROGRAM) as source:
        return source.read(2) == b"#!"


def _resolve(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise InvalidInput(f"`{name}` is not a program that can be run here")
    return Path(found).absolute()


def _file(text: str) -> tuple[str, str] | None:
    """What stands before the path, and the path, where an argument is or ends with `=` and an existing file."""
    if Path(text).is_file():
        return "", text
    before, equals, after = text.partition("=")
    if equals and after and Path(after).is_file():
        return before + equals, after
    return None


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if value is None:
        raise InvalidInput(f"the variable `{name}` is not set")
    return value
