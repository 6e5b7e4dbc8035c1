"""What the demo's agent does: ask to export the table, wait, and export it sanitized, once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from consentry.client import Consentry
from consentry.demo.records import COLUMNS

if TYPE_CHECKING:
    from consentry.client.crossing import Claim, OnPending

OPERATION = "dataset.export"
RESOURCE = "customers"
AGENT = "nightly-export"
TO = "analytics-vendor"
REASON = "monthly churn analysis by the vendor"
PROFILE = """\
description = "For the analytics vendor: stand-ins for people, coarse dates and places."
names = false

[types.PERSON]
transform = "surrogate"
[types.EMAIL_ADDRESS]
transform = "surrogate"
[types.PHONE_NUMBER]
transform = "redact"
[types.STREET_ADDRESS]
transform = "redact"
[types.POSTAL_CODE]
transform = "generalise"
[types.DATE_TIME]
transform = "generalise"
bucket = "year"

[columns]
"""


@dataclass(frozen=True, slots=True)
class Exported:
    """What came of it."""

    action_id: str
    claim_id: str
    rows: int
    file: Path


def export(gate: Consentry, source: Path, folder: Path) -> Exported:
    """Ask, wait for consent, and write the sanitized table into `folder`. Raises `Denied`, `Expired`, …"""
    with gate.admit(
        OPERATION,
        resource=RESOURCE,
        arguments={"to": TO, "format": "csv", "sanitized": True},
        operands={RESOURCE: source},
        context={"pipeline": AGENT, "purpose": REASON},
        reason=REASON,
    ) as claim:
        target = folder / "customers-sanitized.csv"
        rows = sanitize(claim, target, folder / "vendor.toml")
        claim.summary = f"{rows} rows written, sanitized"
    return Exported(claim.action_id, claim.id, rows, target)


def sanitize(claim: Claim, target: Path, profile: Path) -> int:
    """Transform the bytes that were consented to, column by column as declared, and write them. Answers the rows."""
    import pyarrow as pa
    import pyarrow.csv as pc

    from consentry.sanitize import Sanitizer

    profile.write_text(PROFILE + "".join(f'{name} = "{entity}"\n' for name, entity in COLUMNS.items()), "utf-8")
    sanitizer = Sanitizer(Sanitizer.default(names=False).engine, profile)
    with claim.open(RESOURCE) as source:
        header = source.readline().decode().strip().split(",")
        source.seek(0)
        as_text = pc.ConvertOptions(column_types=dict.fromkeys(header, pa.string()))
        table = pc.read_csv(source, convert_options=as_text).combine_chunks()
    batches = [sanitizer.batch(batch) for batch in table.to_batches()]
    pc.write_csv(pa.Table.from_batches(batches), target)
    return int(table.num_rows)


def gate_for(url: str, token: str, on_pending: OnPending | None = None) -> Consentry:
    """The agent's client: it holds its own token and nothing else."""
    return Consentry(url, token, on_pending=on_pending)
