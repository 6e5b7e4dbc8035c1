"""What `doctor` looks at. Each part answers with findings; none of them changes anything."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from consentry.actions import Json
from consentry.errors import ConsentryError

if TYPE_CHECKING:
    from consentry.policy.cedar import PolicySet
    from consentry.policy.model import Roster
    from consentry.policy.problems import Problem
    from consentry.server.settings import Settings
    from consentry.store import Store, Tx

MIN_FREE = 200 << 20
MAX_SKEW_MS = 2_000


class Grade(StrEnum):
    """How much it matters."""

    FINE = "ok"
    NOTE = "note"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was seen, and what to do about it."""

    part: str
    grade: Grade
    text: str
    todo: str = ""

    def to_json(self) -> dict[str, Json]:
        return {"part": self.part, "grade": self.grade.value, "text": self.text, "todo": self.todo}


def look(config: Path | None, data: Path | None) -> tuple[Finding, ...]:
    """Everything, in order; where the settings cannot be read there is nothing more to look at."""
    from consentry.server.settings import load

    try:
        settings = load(config, data_dir=data)
    except ConsentryError as error:
        return (Finding("settings", Grade.BROKEN, str(error), "see docs/settings.md"),)
    parts: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("settings", _settings),
        ("data", _data),
        ("policies", _policies),
        ("store", _store),
        ("upstreams", _upstreams),
        ("channels", _channels),
        ("sign-in", _sign_in),
        ("server", _server),
    )
    return tuple(finding for name, part in parts for finding in _safely(name, part, settings))


def _sign_in(settings: Settings) -> Iterator[Finding]:
    """Secrets are there, and providers and issuers of workload tokens are asked for their keys."""
    yield from _secrets("sign-in", settings.identity, "identity")
    if not settings.identity.oidc and not settings.identity.workload:
        return
    from consentry.server.signing_in import look_at_issuers

    for key, problem in asyncio.run(look_at_issuers(settings)):
        if problem is None:
            yield Finding("sign-in", Grade.FINE, f"`{key}` answers with its keys")
        else:
            yield Finding("sign-in", Grade.BROKEN, f"`{key}`: {problem}", "see docs/sign-in.md")


def _safely(name: str, part: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    """A part that fails says so, and the others are still looked at."""
    try:
        yield from part(settings)
    except ConsentryError as error:
        yield Finding(name, Grade.BROKEN, str(error))
    except OSError as error:
        yield Finding(name, Grade.BROKEN, f"cannot be looked at: {error.strerror}")


def _settings(settings: Settings) -> Iterator[Finding]:
    from consentry.server.run import check_address

    check_address(settings)
    yield Finding("settings", Grade.FINE, f"the server is {settings.origin}")


def _data(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    if not folder.exists():
        yield Finding("data", Grade.NOTE, f"{folder} is not there yet", "`consentry up` makes it")
        return
    if folder.stat().st_mode & 0o007:
        yield Finding("data", Grade.BROKEN, f"{folder} is open to everybody", f"chmod 700 {folder}")
    free = shutil.disk_usage(folder).free
    if free < MIN_FREE:
        yield Finding("data", Grade.BROKEN, f"only {free >> 20} MB are free in {folder}", "make room: writes will fail")
    key = settings.data_dir / "ledger.key"
    if key.exists() and key.stat().st_mode & 0o077:
        yield Finding("data", Grade.BROKEN, "the ledger's key can be read by others", f"chmod 600 {key}, and rotate it")
    yield Finding("data", Grade.FINE, f"{folder}, {free >> 30} GB free")


def _policies(settings: Settings) -> Iterator[Finding]:
    policies = _configured(settings)
    place = settings.policy.dir or "the starter set"
    yield Finding("policies", Grade.FINE, f"{len(policies.rules)} rules of {place}, version {policies.version[:12]}")


def _configured(settings: Settings) -> PolicySet:
    from consentry.policy.cedar import PolicySet

    return PolicySet.from_directory(settings.policy.dir) if settings.policy.dir else PolicySet.starter()


def _store(settings: Settings) -> Iterator[Finding]:
    """The store, and what needs it: clock, ledger, people."""
    if settings.store.url is None and not (settings.data_dir / "consentry.db").exists():
        yield Finding("store", Grade.NOTE, "no installation here yet", "`consentry up` makes one")
        return
    yield from asyncio.run(_inside(settings))


async def _inside(settings: Settings) -> list[Finding]:
    from consentry.consent.roster import load_roster
    from consentry.store import open_store

    store = open_store(settings.store_url)
    try:
        await store.start(upgrade=False)
        await store.write(_write_nothing)
        now_ms, version = await store.read(lambda tx: (tx.now_ms, tx.versions.policy))
        fine = Finding("store", Grade.FINE, "answers, takes writes, and has the schema of this release")
        findings = [fine, _clock(now_ms), await _ledger(settings, store)]
        return findings + _people(await store.read(load_roster), _configured(settings), version)
    finally:
        await store.close()


def _write_nothing(tx: Tx) -> None:
    """A write of no row: refused where the database is read only, and changes nothing where it is not."""
    from sqlalchemy import delete, false

    from consentry.store import tables

    tx.execute(delete(tables.outbox).where(false()))


def _clock(store_ms: int) -> Finding:
    skew = abs(store_ms - time.time_ns() // 1_000_000)
    if skew > MAX_SKEW_MS:
        text = f"this machine's clock and the database's differ by {skew / 1000:.1f} s"
        return Finding("clocks", Grade.BROKEN, text, "the database's clock decides: set both by NTP")
    return Finding("clocks", Grade.FINE, "this machine and the database agree")


async def _ledger(settings: Settings, store: Store) -> Finding:
    from consentry.consent.publishing import current_vkey
    from consentry.ledger.keeper import FileKeeper
    from consentry.ledger.note import Signer
    from consentry.server.build import gate_settings
    from consentry.store.publisher import Publisher

    gate = gate_settings(settings)
    if not gate.key_path.exists():
        return Finding("ledger", Grade.BROKEN, "its signing key is gone", "restore it, or start a log of a new name")
    signer = Signer.parse(gate.key_path.read_text("ascii").strip())
    current = await store.read(current_vkey)
    if current is not None and current != signer.verifier.vkey:
        text = f"the key in {gate.key_path.name} is not the one that signs this log"
        return Finding("ledger", Grade.BROKEN, text, "restore the key that belongs to this database")
    publisher = Publisher(store, origin=gate.ledger_origin, signer=signer, keeper=FileKeeper(gate.keeper_path))
    try:
        await publisher.check()
    except ConsentryError as error:
        return Finding("ledger", Grade.BROKEN, str(error), "restore the database that the keeper's checkpoint is of")
    from consentry.consent.reading import ledger_size

    size = await store.read(ledger_size)
    return Finding("ledger", Grade.FINE, f"{gate.ledger_origin}, {size} entries, not behind its keeper")


def _people(roster: Roster, policies: PolicySet, in_force: str) -> list[Finding]:
    from consentry.policy.check import check

    people = len(roster.members("anyone"))
    findings = [Finding("people", Grade.FINE, f"{people} active")]
    if people < 2:
        text = "one person cannot consent to what they or their agents ask: such actions are denied"
        findings.append(Finding("people", Grade.NOTE, text, "consentry people invite EMAIL"))
    if in_force and in_force != policies.version:
        text = f"version {in_force[:12]} is in force, which is not what the settings name"
        findings.append(Finding("policies", Grade.NOTE, text, "policy changes go through `policy.change`"))
    return findings + _unsatisfied(check(policies, roster))


def _unsatisfied(problems: Sequence[Problem]) -> list[Finding]:
    """Rules of the same trouble together: what it is, and which ones."""
    by_text: dict[str, list[str]] = {}
    for one in problems:
        by_text.setdefault(one.text, []).append(f"`{one.policy}`")
    findings = []
    for text, rules in by_text.items():
        more = f" and {len(rules) - 3} more" if len(rules) > 3 else ""
        remedy = "consentry groups add GROUP EMAIL (who decides for each: consentry policy explain)"
        findings.append(Finding("policies", Grade.NOTE, f"{', '.join(rules[:3])}{more}: {text}", remedy))
    return findings


def _upstreams(settings: Settings) -> Iterator[Finding]:
    for name, one in settings.resources.items():
        unset = [found for found in _secrets("upstreams", one, f"resources.{name}") if found.grade is Grade.BROKEN]
        if one.path is not None and not one.path.is_file():
            yield Finding("upstreams", Grade.BROKEN, f"`resources.{name}.path` is no file", "actions on it fail")
        elif unset:
            yield from unset
        else:
            yield Finding("upstreams", Grade.FINE, f"{name} ({one.kind})")


def _secrets(part: str, value: object, name: str) -> Iterator[Finding]:
    """Whether each secret below this setting is where its reference says."""
    from consentry.server.secrets import references

    for where, secret in references(value, name):
        try:
            secret.reveal()
            yield Finding(part, Grade.FINE, f"`{where}` is set")
        except ConsentryError as error:
            yield Finding(part, Grade.BROKEN, f"`{where}`: {error}")


def _channels(settings: Settings) -> Iterator[Finding]:
    secrets = [
        *_secrets("channels", settings.channels, "channels"),
        *_secrets("channels", settings.webhooks, "webhooks"),
    ]
    yield from secrets
    if not secrets:
        yield Finding("channels", Grade.FINE, "web, API and command line")
    for name, probe in _probes(settings):
        try:
            yield Finding("channels", Grade.FINE, f"{name} answers{asyncio.run(probe())}")
        except ConsentryError as error:
            yield Finding("channels", Grade.BROKEN, f"{name}: {error}", f"see docs/{name}.md")


def _probes(settings: Settings) -> Iterator[tuple[str, Callable[[], Coroutine[None, None, str]]]]:
    """What asks each channel that is switched on whether it lets us in."""
    from consentry.server.channels import check_email, check_slack

    slack, email = settings.channels.slack, settings.channels.email
    if slack is not None:

        async def ask_slack() -> str:
            return f": {await check_slack(slack)}"

        yield "slack", ask_slack
    teams = settings.channels.teams
    if teams is not None:
        from consentry.server.channels_teams import check_teams

        async def ask_teams() -> str:
            return f": {await check_teams(teams)}"

        yield "teams", ask_teams
    if email is not None:

        async def ask_email() -> str:
            await check_email(email)
            return f" at {email.host}"

        yield "email", ask_email


def _server(settings: Settings) -> Iterator[Finding]:
    import httpx2

    from consentry.client.http import is_loopback

    url = f"{settings.origin}/readyz"
    try:
        reply = httpx2.get(url, timeout=3.0, trust_env=not is_loopback(settings.origin))
    except httpx2.HTTPError:
        yield Finding("server", Grade.NOTE, f"nothing answers at {settings.origin}", "`consentry up` starts it")
        return
    if reply.status_code == 200:
        yield Finding("server", Grade.FINE, f"answers at {settings.origin}")
    else:
        yield Finding("server", Grade.BROKEN, f"{settings.origin} answers {reply.status_code}", "see its log")
