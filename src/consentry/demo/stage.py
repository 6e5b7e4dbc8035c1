"""A real server of the demo's own: another process, reached over HTTP like any other."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from consentry.demo.pipeline import RESOURCE
from consentry.demo.records import COLUMNS
from consentry.errors import ConsentryError

_LINK = re.compile(r"(http://\S+?)/sign-in#token=(\S+)")


class NoServer(ConsentryError):
    """The demo's server did not start."""

    code = "demo_server_failed"


@dataclass(frozen=True, slots=True)
class Running:
    """Where the server is, and the one-time token of its first administrator."""

    url: str
    link_token: str
    data: Path


@contextmanager
def server(folder: Path) -> Iterator[Running]:
    """Start `consentry up` on a free port with data in `folder`; ends it again."""
    data, config = folder / "data", folder / "consentry.toml"
    config.write_text(settings_text(folder / "customers.csv"), "utf-8")
    command = [sys.executable, "-m", "consentry", "up", "--port", "0", "--data", str(data), "--config", str(config)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
    with (folder / "server.log").open("wb") as log:
        child = subprocess.Popen(  # noqa: S603 (ourselves)
            [*command, "--no-browser"], stdout=subprocess.PIPE, stderr=log, text=True, env=environment
        )
        try:
            yield _wait_for_link(child, data)
        finally:
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(15)
            if child.poll() is None:
                child.kill()
                child.wait()
            assert child.stdout is not None
            child.stdout.close()


def _wait_for_link(child: subprocess.Popen[str], data: Path) -> Running:
    """Read the start-up text until it names the sign-in link."""
    assert child.stdout is not None
    for line in child.stdout:
        found = _LINK.search(line)
        if found:
            return Running(found.group(1), found.group(2), data)
    raise NoServer("the demo's server did not start: see `server.log` in its folder, or run `consentry doctor`")


def settings_text(table: Path) -> str:
    """The settings that a real installation would have for this table."""
    columns = "".join(f'{name} = "{entity}"\n' for name, entity in COLUMNS.items())
    return (
        f'[resources.{RESOURCE}]\nkind = "dataset"\npath = "{table}"\n'
        f'labels = {{ env = "demo", data = "customer" }}\n[resources.{RESOURCE}.columns]\n{columns}'
    )
