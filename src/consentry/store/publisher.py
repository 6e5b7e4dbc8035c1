"""Publish the ledger: order entries (PostgreSQL), build tiles, sign checkpoints, keep the last one outside.

One replica works at a time, whoever gets there first; every step is a transaction and may be repeated.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, select, text, update

from consentry.errors import Unavailable
from consentry.ledger.checkpoint import Checkpoint, read_checkpoint, sign_checkpoint
from consentry.ledger.errors import TileMissing
from consentry.ledger.keeper import Keeper, check_against
from consentry.ledger.keys import LogKey, format_keys, open_checkpoint, rotate
from consentry.ledger.merkle import Frontier, leaf_hash
from consentry.ledger.note import Signer, Verifier
from consentry.ledger.tiles import TILE_WIDTH, Edge, TileName, TileNodes, encode_bundle
from consentry.store import tables
from consentry.store.record import record
from consentry.store.store import Store
from consentry.store.tx import Tx

SEQUENCER_LOCK = 0x636F6E74
ORDER_SECONDS = 20.0
CHUNK = 4_096
"""Entries that one transaction orders or publishes, so that nobody waits long for it."""


class OrderBlocked(Unavailable):
    """Entries are durable, and cannot be given their places yet."""

    code = "ledger_order_blocked"


class KeyRetired(Unavailable):
    """This process signs with a key that was rotated away."""

    code = "ledger_key_retired"


@dataclass(frozen=True, slots=True)
class Published:
    """A signed checkpoint and the size that it covers."""

    size: int
    note: bytes


class Publisher:
    """The publishing side of one log. `signer` is its current key, `origin` its name."""

    def __init__(self, store: Store, *, origin: str, signer: Signer, keeper: Keeper) -> None:
        self._store = store
        self._origin = origin
        self._signer = signer
        self._keeper = keeper
        self._edge = Edge()
        self._lock = asyncio.Lock()

    async def check(self) -> None:
        """Refuse a database behind the kept checkpoint, or off it (threats G4, G8).

        Raises `LedgerBehind`, `LedgerForked`, or a `LedgerError` where the kept checkpoint is not this log's.
        """
        kept = self._keeper.read()
        if kept is None:
            return

        def compare(tx: Tx) -> None:
            signed = open_checkpoint(kept, load_keys(tx) or (LogKey(self._signer.verifier),), self._origin)
            size, covered = load_frontier(tx)[0], _covered(tx)
            check_against(signed.checkpoint, size, TileNodes(DatabaseReader(tx, size), covered))

        await self._store.read(compare)

    async def publish(self, *, all_of_it: bool = True) -> Published:
        """Order what waits and sign a checkpoint over it.

        With `all_of_it`, over everything that was committed before the call, whatever it takes to order it;
        raises `OrderBlocked` where that takes too long. Without, over what can be ordered at once.
        """
        async with self._lock:
            await self._order(all_of_it=all_of_it)
            while True:
                published, more = await self._store.write(self._publish_chunk)
                if not more:
                    break
            self._keeper.advance(published.note)
            return published

    async def sequence(self) -> None:
        """PostgreSQL: give waiting entries their places, without a checkpoint."""
        async with self._lock:
            await self._order(all_of_it=False)

    async def _order(self, *, all_of_it: bool) -> None:
        """Another replica may be ordering just now, or a transaction under way hold the horizon: `all_of_it` waits."""
        newest = await self._store.read(_newest_waiting) if all_of_it else None
        until = time.monotonic() + ORDER_SECONDS
        while True:
            while await self._store.write(_sequence):
                pass
            if newest is None or not await self._store.read(lambda tx: _waits(tx, newest)):
                return
            if time.monotonic() > until:
                raise OrderBlocked(
                    "a transaction on this database server has been open for long, and entries cannot be ordered "
                    "before it ends: look for it in `pg_stat_activity`"
                )
            await asyncio.sleep(0.01)

    async def rotate(self, new: Signer, person: str) -> None:
        """Sign with `new` from now on. The checkpoint of the change is signed by both keys (threat G5)."""
        async with self._lock:
            old = self._signer
            entry = {"old_key": old.verifier.vkey, "new_key": new.verifier.vkey, "person": person}
            await self._store.write(lambda tx: record(tx, "ledger.key_rotated", entry))
            await self._order(all_of_it=True)
            while (await self._store.write(self._publish_chunk))[1]:
                pass
            published = await self._store.write(lambda tx: self._change_key(tx, new))
            self._signer = new
            self._keeper.advance(published.note)

    def _change_key(self, tx: Tx, new: Signer) -> Published:
        last = latest(tx)
        assert last is not None
        keys = rotate(load_keys(tx), new.verifier, last.size)
        note = sign_checkpoint(read_checkpoint(last.note), [self._signer, new])
        tx.execute(delete(tables.ledger_keys))
        tx.insert_many(
            tables.ledger_keys,
            [{"vkey": key.verifier.vkey, "from_size": key.from_size, "to_size": key.to_size} for key in keys],
        )
        tx.execute(
            update(tables.ledger_checkpoints).where(tables.ledger_checkpoints.c.size == last.size).values(note=note)
        )
        return Published(last.size, note)

    def _publish_chunk(self, tx: Tx) -> tuple[Published, bool]:
        size, frontier = load_frontier(tx, lock=True)
        self._require_current_key(tx)
        last = latest(tx)
        covered = _covered(tx)
        if last is not None and last.size == size:
            return last, False
        if self._edge.size != covered:
            self._edge = Edge.at(covered, DatabaseReader(tx, covered))
        until = min(size, covered + CHUNK)
        edge, files = self._edge.extend(_leaves(tx, covered, until))
        _write_tiles(tx, files)
        if until < size:
            self._edge = edge
            _set_covered(tx, until)
            return last or Published(0, b""), True
        signed = self._sign(size, frontier)
        tx.execute(tables.ledger_checkpoints.insert(), {"size": size, "note": signed, "at": tx.now_ms})
        _set_covered(tx, size)
        self._edge = edge
        return Published(size, signed), False

    def _sign(self, size: int, frontier: Frontier) -> bytes:
        # INVARIANT: the frontier only ever grows by appending, so this checkpoint extends every earlier one.
        return sign_checkpoint(Checkpoint(self._origin, size, frontier.root()), [self._signer])

    def _require_current_key(self, tx: Tx) -> None:
        keys = load_keys(tx)
        if keys and keys[-1].verifier != self._signer.verifier:
            raise KeyRetired("another replica rotated the ledger's key: start this one again with the new key")


class DatabaseReader:
    """Files of the log as `tlog-tiles` names them, out of the tables (a `TileReader` inside one transaction).

    Full tiles and the newest partial one are stored under the path of the full tile; narrower ones are its prefix.
    """

    def __init__(self, tx: Tx, size: int) -> None:
        self._tx = tx
        self._size = size

    def read(self, path: str) -> bytes:
        """Raises `TileMissing`."""
        name = TileName.parse(path)
        if name.level is None:
            return self._bundle(name)
        full = TileName(name.level, name.index).path
        data = self._tx.execute(
            select(tables.ledger_tiles.c.data).where(tables.ledger_tiles.c.path == full)
        ).scalar_one_or_none()
        if data is None or len(bytes(data)) < name.width * 32:  # type: ignore[call-overload]
            raise TileMissing(f"`{path}` is not there")
        return bytes(data)[: name.width * 32]  # type: ignore[call-overload,no-any-return]

    def _bundle(self, name: TileName) -> bytes:
        start = name.index * TILE_WIDTH
        if start + name.width > self._size:
            raise TileMissing(f"`{name.path}` is not there")
        return encode_bundle(_entries(self._tx, start, start + name.width))


def load_frontier(tx: Tx, *, lock: bool = False) -> tuple[int, Frontier]:
    """How many entries have their place, and the frontier of their tree."""
    query = select(tables.ledger_state.c.frontier)
    frontier = Frontier.decode(bytes(tx.execute(query.with_for_update() if lock else query).scalar_one()))  # type: ignore[call-overload]
    return frontier.size, frontier


def latest(tx: Tx) -> Published | None:
    """The newest checkpoint."""
    row = tx.execute(
        select(tables.ledger_checkpoints).order_by(tables.ledger_checkpoints.c.size.desc()).limit(1)
    ).one_or_none()
    return None if row is None else Published(row.size, row.note)


def load_keys(tx: Tx) -> tuple[LogKey, ...]:
    rows = tx.execute(select(tables.ledger_keys).order_by(tables.ledger_keys.c.from_size)).all()
    return tuple(LogKey(Verifier.parse(row.vkey), row.from_size, row.to_size) for row in rows)


def keys_text(tx: Tx) -> bytes:
    """The key file: every key of the log with the sizes that it may sign."""
    return format_keys(load_keys(tx)).encode()


def _entries(tx: Tx, start: int, end: int) -> Sequence[bytes]:
    seq = tables.ledger_entries.c.seq
    query = select(tables.ledger_entries.c.entry).where(seq >= start, seq < end).order_by(seq)
    rows = tx.execute(query).scalars().all()  # all at once: one by one they go through Python
    return [bytes(entry) for entry in rows]  # type: ignore[call-overload]


def _leaves(tx: Tx, start: int, end: int) -> Sequence[bytes]:
    seq = tables.ledger_entries.c.seq
    query = select(tables.ledger_entries.c.leaf).where(seq >= start, seq < end).order_by(seq)
    rows = tx.execute(query).scalars().all()
    return [bytes(leaf) for leaf in rows]  # type: ignore[call-overload]


_T = tables.ledger_tiles.c
_RENEW = update(tables.ledger_tiles).where(_T.path == bindparam("full")).values(data=bindparam("newest"))


def _write_tiles(tx: Tx, files: dict[str, bytes]) -> None:
    for path, data in files.items():
        name = TileName.parse(path)
        full = TileName(name.level, name.index).path
        changed = tx.execute(_RENEW, {"full": full, "newest": data})
        if changed.rowcount == 0:
            tx.execute(tables.ledger_tiles.insert(), {"path": full, "data": data})


def _covered(tx: Tx) -> int:
    size: int = tx.execute(select(tables.ledger_state.c.tiled)).scalar_one()  # type: ignore[assignment]
    return size


def _set_covered(tx: Tx, size: int) -> None:
    tx.execute(update(tables.ledger_state).values(tiled=size))


def _sequence(tx: Tx) -> bool:
    """Order a chunk of waiting entries; true where there may be more.

    Only rows of transactions below the snapshot's horizon are taken: everything below it has ended, so no row can
    still appear before one that was taken, and the order is that of the commits that saw each other.
    """
    if tx.dialect != "postgresql":
        return False
    if not tx.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": SEQUENCER_LOCK}).scalar_one():
        return False
    outbox = tables.ledger_outbox.c
    rows = tx.execute(
        select(outbox.id, outbox.entry, outbox.action_id, outbox.request_id)
        .where(text("xid::xid8 < pg_snapshot_xmin(pg_current_snapshot())"))
        .order_by(outbox.id)
        .limit(CHUNK)
    ).all()
    if not rows:
        return False
    size, frontier = load_frontier(tx, lock=True)
    leaves = [leaf_hash(row.entry) for row in rows]
    frontier = frontier.extend(leaves)
    tx.insert_many(
        tables.ledger_entries,
        [
            {
                "seq": size + place,
                "entry": row.entry,
                "leaf": leaves[place],
                "action_id": row.action_id,
                "request_id": row.request_id,
            }
            for place, row in enumerate(rows)
        ],
    )
    tx.execute(update(tables.ledger_state).values(size=frontier.size, frontier=frontier.encode()))
    tx.execute(delete(tables.ledger_outbox).where(outbox.id.in_([row.id for row in rows])))
    tx.ledger_grew()
    return len(rows) == CHUNK


def _newest_waiting(tx: Tx) -> int | None:
    if tx.dialect != "postgresql":
        return None
    return tx.execute(select(func.max(tables.ledger_outbox.c.id))).scalar_one()  # type: ignore[return-value]


def _waits(tx: Tx, until: int) -> bool:
    waiting = select(tables.ledger_outbox.c.id).where(tables.ledger_outbox.c.id <= until).limit(1)
    return tx.execute(waiting).one_or_none() is not None


def waiting_entries(tx: Tx) -> int:
    """How many entries are durable and have no place yet."""
    count: int = tx.execute(select(func.count()).select_from(tables.ledger_outbox)).scalar_one()  # type: ignore[assignment]
    return count
