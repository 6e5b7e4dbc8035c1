"""`consentry up --demo`: a request in the inbox, with a real pipeline waiting behind it."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING

from consentry.actions import Kind
from consentry.client.errors import NotAdmitted
from consentry.demo import pipeline
from consentry.demo.records import COLUMNS, make_csv
from consentry.errors import LOG_FIELDS, ConsentryError

if TYPE_CHECKING:
    from consentry.identity.directory import Directory
    from consentry.identity.model import NewAgentToken
    from consentry.server.services import Services
    from consentry.server.settings import Settings

STEWARDS = "data-stewards"
ENGINEER = ("mara@example.org", "Mara Lind")
log = logging.getLogger("consentry.demo")


def folder_of(settings: Settings) -> Path:
    """Where the demo's table is, and what comes of it."""
    return settings.data_dir / "demo"


def with_dataset(settings: Settings) -> Settings:
    """The settings with the demo's table among the resources; the table is written where it is not there yet."""
    from consentry.server.settings_resources import ResourceSettings

    folder = folder_of(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # `parents` alone would leave it open to all
    folder.mkdir(exist_ok=True, mode=0o700)
    table = folder / "customers.csv"
    if not table.exists():
        table.write_bytes(make_csv())
    customers = ResourceSettings(
        kind="dataset", path=table, labels={"env": "demo", "data": "customer"}, columns=dict(COLUMNS)
    )
    return settings.model_copy(update={"resources": {**settings.resources, pipeline.RESOURCE: customers}})


async def seed(services: Services) -> None:
    """Make an engineer who owns an agent, make the administrator a data steward, and start the agent's pipeline.

    The agent's owner cannot consent to what it asks; the administrator, who is somebody else, can.
    """
    directory = services.directory
    administrator = await directory.person(services.settings.identity.administrator)
    await directory.add_to_group(None, STEWARDS, administrator.id)
    owner = await directory.invite(None, ENGINEER[0], name=ENGINEER[1])
    token = (await _agent(directory, owner.person)).token
    folder = folder_of(services.settings)
    work = threading.Thread(target=_work, args=(services.origin, token, folder), name="demo-pipeline", daemon=True)
    work.start()


async def _agent(directory: Directory, owner: str) -> NewAgentToken:
    known = [one for one in await directory.agents() if one.name == pipeline.AGENT]
    if known:
        return await directory.rotate_agent(None, known[0].id)
    return await directory.create_agent(None, pipeline.AGENT, owner, Kind.AGENT)


def _tell(done: pipeline.Exported, receipt: Path, key: Path) -> None:
    """Where everything is, for whoever looks at the terminal after they approved."""
    lines = [f"Exported         {done.rows} rows, sanitized, to {done.file}"]
    lines += ["Verify it with", f"  consentry verify {receipt} --key {key}"]
    print("\n".join(lines), flush=True)


def _work(url: str, token: str, folder: Path) -> None:
    """The pipeline: over HTTP, with the agent's token and nothing else."""
    logging.getLogger("consentry.client").setLevel(logging.WARNING)  # its waiting is what the inbox shows
    with pipeline.gate_for(url, token) as gate:
        try:
            done = pipeline.export(gate, folder / "customers.csv", folder)
            receipt = folder / f"receipt-{done.action_id}.json"
            receipt.write_bytes(gate.receipt(done.action_id))
            log.info("demo exported", extra={LOG_FIELDS: {"rows": done.rows}})
            _tell(done, receipt, folder.parent / "ledger.vkey")
        except CancelledError:
            return  # the process ends while nobody has decided
        except NotAdmitted as error:
            log.info("demo not exported", extra={LOG_FIELDS: {"code": error.code}})
        except ConsentryError as error:
            log.warning("demo request failed", extra={LOG_FIELDS: {"code": error.code}})
