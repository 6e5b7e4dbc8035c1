"""`consentry demo`: a pipeline exports personal data, is paused, a second person consents, the receipt verifies."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING

from rich.markup import escape

from consentry.actions import Json
from consentry.client.errors import Denied, NotAdmitted
from consentry.demo import pipeline, stage
from consentry.demo.people import Invited, Someone, sign_in
from consentry.demo.records import ROWS, make_csv
from consentry.errors import ConsentryError

if TYPE_CHECKING:
    from rich.console import Console

    from consentry.client import Consentry
    from consentry.client.model import Decision

Ask = Callable[[str], str]
"""Asks whoever sits at the terminal what the steward says: `approve` or `deny`; told where to decide instead."""

ENGINEER = ("mara@example.org", "Mara Lind")
STEWARD = ("joon@example.org", "Joon Park")
SHOWN_COLUMNS = ("name", "email", "phone", "birth_date")


class StoryBroke(ConsentryError):
    """Something in the demo did not happen as it must: this is a defect."""

    code = "demo_failed"


@dataclass(frozen=True, slots=True)
class Told:
    """What the story leaves behind."""

    folder: Path
    receipt: Path
    key: Path
    tampered: Path
    exported: Path


@dataclass(frozen=True, slots=True)
class _Cast:
    url: str
    admin: Someone
    mara: Someone
    joon: Someone
    agent_token: str
    joon_link: Invited


SECTIONS_SHOWN = ("Who", "What", "Pinned by hash")


def _step(console: Console, number: int, text: str) -> None:
    console.print(f"\n[bold]{number}[/]  {text}", soft_wrap=True)


def _line(console: Console, text: str, style: str = "") -> None:
    """A line of the story, wrapped under its own beginning."""
    from rich.padding import Padding
    from rich.text import Text

    console.print(Padding(Text.from_markup(text, style=style), (0, 0, 0, 3), expand=False))


def tell(folder: Path, console: Console, ask: Ask | None = None) -> Told:
    """Run the whole story in `folder`. Without `ask`, the steward approves by themselves.

    Raises `Denied` where the steward says no, `StoryBroke` where anything is not as it must be.
    """
    table = folder / "customers.csv"
    table.write_bytes(make_csv())
    _step(console, 1, f"{ROWS} invented customers are in {table.name}, and a server starts.")
    with ExitStack() as stack:
        running = stack.enter_context(stage.server(folder))
        _line(console, f"It listens at {running.url}; everything is in {folder}")
        cast = _cast(running, stack)
        _line(console, f"{ENGINEER[1]} owns the agent [bold]{pipeline.AGENT}[/]. {STEWARD[1]} is a data steward.")
        done = _play(cast, table, folder, console, ask)
        return _prove(cast, done, folder, console)


def _cast(running: stage.Running, stack: ExitStack) -> _Cast:
    """The administrator signs in, invites two people, and makes the agent."""

    def someone(token: str) -> Someone:
        return stack.enter_context(Someone(running.url, token))

    admin = someone(sign_in(running.url, running.link_token))
    mara = admin.invite(*ENGINEER)
    joon = admin.invite(*STEWARD, groups=("data-stewards",))
    agent = admin.post("/v1/agents", {"name": pipeline.AGENT, "owner": ENGINEER[0]})
    return _Cast(
        running.url,
        admin,
        someone(sign_in(running.url, mara.token)),
        someone(sign_in(running.url, joon.token)),
        str(agent["token"]),
        admin.invite(*STEWARD),
    )


def _play(cast: _Cast, table: Path, folder: Path, console: Console, ask: Ask | None) -> pipeline.Exported:
    """The pipeline asks and waits in a thread of its own, while people decide."""
    paused: Queue[Decision] = Queue()
    gate = pipeline.gate_for(cast.url, cast.agent_token, paused.put)
    with gate, ThreadPoolExecutor(1, "pipeline") as pool:
        work = pool.submit(pipeline.export, gate, table, folder)
        decision = _first(paused, work)
        request = str(decision.request_id)
        _step(console, 2, f"The agent asks for [bold]{pipeline.OPERATION}[/] and is paused.")
        for reason in decision.reasons:
            _line(console, f"{escape(reason.text)}  [dim]({escape(reason.policy)})[/]")
        _show(cast.joon.get(f"/v1/requests/{request}"), console)
        _refuse(cast, request, console)
        _decide(cast, request, console, ask)
        done = _result(work)
        _step(console, 5, "The export happens, once, from exactly the bytes that were consented to.")
        _twice(gate, done, console)
    _compare(table, done.file, console)
    return done


def _first(paused: Queue[Decision], work: Future[pipeline.Exported]) -> Decision:
    work.add_done_callback(lambda _done: paused.put(None))  # type: ignore[arg-type]
    decision: Decision | None = paused.get(timeout=60)
    if decision is None:
        work.result()
        raise StoryBroke("the export was not paused: policy let it through")
    return decision


def _show(request: Mapping[str, Json], console: Console) -> None:
    """The first part of what people see, as the server rendered it."""
    preview = request["preview"]
    assert isinstance(preview, Mapping)
    sections = preview["sections"]
    assert isinstance(sections, list)
    console.print()
    _line(console, "What people are shown, rendered by the server from the stored action:")
    for section in sections:
        assert isinstance(section, Mapping)
        rows = section["rows"]
        assert isinstance(rows, list)
        for label, value in rows if section["title"] in SECTIONS_SHOWN else ():
            text = " ".join(str(value).split())
            console.print(f"   │ {label}: {text}", markup=False, style="dim", soft_wrap=True)
    console.print(f"   │ … and the rest at {request['url']}", markup=False, style="dim", soft_wrap=True)


def _refuse(cast: _Cast, request: str, console: Console) -> None:
    """Neither the agent's owner nor the agent can consent."""
    _step(console, 3, f"{ENGINEER[1]} tries to approve what her own agent asks.")
    _must_fail(lambda: cast.mara.vote(request, "approve", "looks fine to me"), "not_eligible", console)
    _line(console, "The agent tries to approve it itself.")
    with Someone(cast.url, cast.agent_token) as agent:
        _must_fail(lambda: agent.vote(request, "approve", "I am sure"), "not_allowed", console)


def _must_fail(attempt: Callable[[], object], code: str, console: Console) -> None:
    try:
        attempt()
    except ConsentryError as error:
        if error.code != code:
            raise StoryBroke(f"refused, but as `{error.code}`") from error
        _line(console, f"[red]refused[/]  {escape(str(error))}  [dim]({error.code})[/]")
    else:
        raise StoryBroke("somebody could consent who must not")


def _decide(cast: _Cast, request: str, console: Console, ask: Ask | None) -> None:
    _step(console, 4, f"{STEWARD[1]}, data steward, decides.")
    said = "approve" if ask is None else ask(f"{cast.joon_link.link}")
    try:
        why = "agreed with the vendor, sanitized only" if said == "approve" else "not agreed with the vendor"
        after = cast.joon.vote(request, said, why)
        state = str(after["state"])
    except ConsentryError as error:
        if error.code not in ("already_decided", "already_voted"):
            raise
        state = str(cast.joon.get(f"/v1/requests/{request}")["state"])  # decided in the browser meanwhile
    _line(console, f"The request is [bold]{state}[/].")


def _result(work: Future[pipeline.Exported]) -> pipeline.Exported:
    try:
        return work.result(timeout=120)
    except Denied:
        raise
    except NotAdmitted as error:
        raise StoryBroke(f"the export did not happen: {error}") from error


def _twice(gate: Consentry, done: pipeline.Exported, console: Console) -> None:
    """The grant is used up."""
    _line(console, "The pipeline tries to use the same consent again.")
    _must_fail(lambda: gate.claim(done.action_id), "already_claimed", console)


def _compare(table: Path, sanitized: Path, console: Console) -> None:
    """One row before and after."""
    from rich.table import Table

    with table.open(encoding="utf-8", newline="") as before, sanitized.open(encoding="utf-8", newline="") as after:
        rows = [next(csv.DictReader(before)), next(csv.DictReader(after))]
    if any(rows[0][column] == rows[1][column] for column in SHOWN_COLUMNS):
        raise StoryBroke("personal data left as it was")
    view = Table("", *SHOWN_COLUMNS, box=None, padding=(0, 2, 0, 0), header_style="dim")
    view.add_row("   inside", *(rows[0][column] for column in SHOWN_COLUMNS))
    view.add_row("   outside", *(rows[1][column] for column in SHOWN_COLUMNS))
    _line(console, "One row, inside and outside:")
    console.print(view)


def _prove(cast: _Cast, done: pipeline.Exported, folder: Path, console: Console) -> Told:
    """Fetch the receipt and the key, verify offline, and show that a changed copy does not pass."""
    from consentry.ledger.report import Outcome
    from consentry.ledger.verify import verify_path

    told = Told(folder, folder / "receipt.json", folder / "ledger.vkey", folder / "receipt-tampered.json", done.file)
    told.receipt.write_bytes(cast.joon.raw(f"/v1/receipts/{done.action_id}"))
    told.key.write_bytes(cast.joon.raw("/ledger/key"))
    told.tampered.write_bytes(_tamper(told.receipt.read_bytes()))
    _step(console, 6, "Every step is in the ledger. The receipt verifies offline, with the log's key alone.")
    for path, expected in ((told.receipt, Outcome.VALID), (told.tampered, Outcome.TAMPERED)):
        report = verify_path(path, told.key)
        if report.outcome is not expected:
            raise StoryBroke(f"`{path.name}` came out as {report.outcome.value}")
        colour = "green" if report.outcome is Outcome.VALID else "red"
        where = f"  {report.findings[0].where}: {report.findings[0].message}" if report.findings else ""
        console.print(f"   [{colour}]{report.outcome.value:9}[/] {path.name}{where}", soft_wrap=True)
    return told


def _tamper(receipt: bytes) -> bytes:
    """The same receipt with the operation of one entry changed: somebody claims that it was only read."""
    changed = receipt.replace(b"dataset.export", b"dataset.read", 1)
    if changed == receipt:
        raise StoryBroke("the receipt does not name the operation")
    return changed
