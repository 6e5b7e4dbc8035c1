"""The ledger side of a gate: its key, its checkpoints, its receipts and exports."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import or_, select

from consentry.consent.errors import UnknownAction
from consentry.errors import Unavailable
from consentry.ledger.bundle import Manifest, bundle_files, write_bundle
from consentry.ledger.checkpoint import read_checkpoint
from consentry.ledger.commit import commit
from consentry.ledger.entry import decode_entry
from consentry.ledger.note import Signer
from consentry.ledger.receipt import Disclosure, build_receipt
from consentry.ledger.tiles import TileNodes
from consentry.store import Tx, tables
from consentry.store.publisher import DatabaseReader, Published, load_keys
from consentry.store.record import derived_salt


class KeyUnsafe(Unavailable):
    """The ledger's signing key cannot be used as it is."""

    code = "ledger_key_unsafe"


def load_signer(path: Path, origin: str, current: str | None) -> Signer:
    """The log's signing key; made on first use, readable by its owner only.

    `current` is the key that the ledger is signed with; a rotation that was cut off after it took effect is finished
    here. Raises `KeyUnsafe`.
    """
    beside = _next_path(path)
    if current is not None and beside.exists() and _read(beside).verifier.vkey == current:
        promote(path)
    if not path.exists():
        if current is not None:
            raise KeyUnsafe(f"`{path.name}` is not there, and the ledger is signed with it: restore it")
        _make(path, origin)
    return _read(path)


def next_signer(path: Path, origin: str) -> Signer:
    """A new key beside the current one, durable before anything is signed with it."""
    beside = _next_path(path)
    beside.unlink(missing_ok=True)
    _make(beside, origin)
    return _read(beside)


def promote(path: Path) -> None:
    """The key beside becomes the key."""
    _next_path(path).replace(path)


def current_vkey(tx: Tx) -> str | None:
    """The key that the ledger is signed with now; `None` before the first start."""
    keys = tables.ledger_keys.c
    vkey: str | None = tx.execute(select(keys.vkey).where(keys.to_size.is_(None))).scalar_one_or_none()  # type: ignore[assignment]
    return vkey


def write_keys(folder: Path, keys: bytes) -> None:
    """`ledger.vkey`: the keys to verify with, beside the data, for whoever hands them on."""
    beside = folder / f".ledger.vkey.{os.getpid()}"  # replicas may start at the same moment
    try:
        beside.write_bytes(keys)
        beside.replace(folder / "ledger.vkey")
    except OSError as error:
        raise KeyUnsafe(f"`ledger.vkey` cannot be written ({type(error).__name__}): check its folder") from None


def _next_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.next")


def _make(path: Path, origin: str) -> None:
    """Whole and durable before it has its name; where another replica was first, its key is the key."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(Signer.generate(origin).to_text() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)
        beside.unlink()
    except OSError as error:
        raise KeyUnsafe(f"`{path.name}` cannot be made ({type(error).__name__}): check its folder") from None


def _read(path: Path) -> Signer:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnsafe(
                f"`{path.name}` is readable by others: chmod 600 it, and rotate the key if that was long so"
            )
        return Signer.parse(path.read_text().strip())
    except OSError as error:
        raise KeyUnsafe(f"`{path.name}` cannot be read or made ({type(error).__name__}): check its folder") from None


def receipt(tx: Tx, action_id: str, published: Published) -> bytes:
    """The receipt of an action under a checkpoint that covers its entries. Raises `UnknownAction`."""
    rows = _history(tx, action_id)
    if not rows:
        raise UnknownAction(f"there is no action `{action_id[:40]}` in the ledger")
    covered = {seq: entry for seq, entry in rows.items() if seq < published.size}
    reader = DatabaseReader(tx, published.size)
    made = build_receipt(
        action_id,
        covered,
        published.note,
        published.size,
        TileNodes(reader, published.size),
        _disclosures(tx, covered),
    )
    return made.encode()


def _history(tx: Tx, action_id: str) -> dict[int, bytes]:
    """The entries of an action and of the request it belongs to, by their place."""
    entries = tables.ledger_entries.c
    request_id = tx.execute(
        select(tables.actions.c.request_id).where(tables.actions.c.id == action_id)
    ).scalar_one_or_none()
    mine = entries.action_id == action_id
    if (parent := _standing_of(tx, action_id)) is not None:
        mine = or_(mine, entries.request_id == parent)
    if request_id is not None:
        mine = or_(mine, entries.request_id == str(request_id))
        mine = or_(mine, entries.request_id.in_(_passkeys_of(tx, str(request_id))))
    found = {row.seq: bytes(row.entry) for row in tx.execute(select(entries.seq, entries.entry).where(mine))}
    return dict(sorted(found.items()))


def _passkeys_of(tx: Tx, request_id: str) -> list[str]:
    """The passkeys that signed votes on a request: their registration is what the signatures are checked against."""
    entries = tables.ledger_entries.c
    rows = tx.execute(select(entries.entry).where(entries.request_id == request_id))
    return sorted({passkey for row in rows if (passkey := decode_entry(bytes(row.entry)).text("passkey"))})


def _standing_of(tx: Tx, action_id: str) -> str | None:
    """The standing grant that an action used: its entries are part of the story."""
    grants = tables.grants.c
    parent = tx.execute(
        select(grants.parent_id)
        .join(tables.actions, tables.actions.c.grant_id == grants.id)
        .where(tables.actions.c.id == action_id)
    ).scalar_one_or_none()
    return None if parent is None else str(parent)


def _disclosures(tx: Tx, covered: dict[int, bytes]) -> list[Disclosure]:
    """The values behind the commitments, as far as they were not erased."""
    commitments: dict[str, list[tuple[int, str]]] = {}
    derived: dict[str, list[tuple[int, str, str]]] = {}
    for seq, data in covered.items():
        entry = decode_entry(data)
        for name in ("reason", "summary", "identity"):
            if entry.text(name):
                commitments.setdefault(entry.text(name), []).append((seq, name))
        for name in ("resource", "summary"):
            if entry.text(name) and entry.text("action"):
                derived.setdefault(entry.text("action"), []).append((seq, name, entry.text(name)))
    return [*_sealed(tx, commitments), *_derived(tx, derived)]


def _sealed(tx: Tx, commitments: dict[str, list[tuple[int, str]]]) -> Iterable[Disclosure]:
    rows = tx.execute(select(tables.sealed).where(tables.sealed.c.commitment.in_(list(commitments)))).all()
    for row in rows:
        if row.salt is not None and row.value is not None:
            for seq, name in commitments[row.commitment]:
                yield Disclosure(seq, name, row.salt, row.value)


def _derived(tx: Tx, commitments: dict[str, list[tuple[int, str, str]]]) -> Iterable[Disclosure]:
    """Values that stand in the rows of an action and its claim, under salts that come from its seal."""
    actions, claims = tables.actions.c, tables.claims.c
    query = select(actions.id, actions.seal, actions.resource, claims.summary).outerjoin(
        tables.claims, claims.action_id == actions.id
    )
    for row in tx.execute(query.where(actions.id.in_(list(commitments)), actions.seal.is_not(None))).all():
        for seq, name, commitment in commitments[row.id]:
            value = row.resource if name == "resource" else row.summary
            salt = derived_salt(row.seal, name)
            if value is not None and commit(value.encode("utf-8"), salt) == commitment:  # else it has a row of its own
                yield Disclosure(seq, name, salt, value.encode("utf-8"))


def export(tx: Tx, out: Path, published: Published) -> None:
    """Write the log up to a checkpoint as a bundle that verifies offline."""
    stored = tables.ledger_checkpoints.c
    rows = tx.execute(select(tables.ledger_checkpoints).where(stored.size <= published.size)).all()
    checkpoints = {row.size: bytes(row.note) for row in rows}
    origin = read_checkpoint(published.note).origin
    manifest = Manifest(origin, published.size, tuple(sorted(checkpoints)))
    reader = DatabaseReader(tx, published.size)
    write_bundle(out, bundle_files(reader, manifest, published.note, checkpoints, load_keys(tx)))
