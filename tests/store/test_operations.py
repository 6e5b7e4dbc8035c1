"""Operations are independent: one that fails leaves nothing behind, whatever its neighbours in a batch do."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from consentry.errors import InvalidInput
from consentry.store import StoreUnavailable, Versions
from consentry.store.store import Store

SHAPES = ("i", "x", "ix", "xi", "e", "ixe", "")
"""What an operation does before it ends: insert, execute, append an entry."""


def operation(acts, name, shape, *, fails):
    def run(tx):
        for place, step in enumerate(shape):
            if step == "i":
                acts.insert(tx, f"{name}-{place}")
            elif step == "x":
                acts.execute(tx, f"{name}-{place}")
            else:
                acts.entry(tx, name)
        tx.wake(name)
        if fails:
            raise InvalidInput("no")
        return name

    return run


async def test_a_failing_operation_leaves_nothing_and_touches_no_neighbour(store, acts, heard):
    news = heard(store)
    stands: list[str] = []
    entries = await store.read(acts.entries)
    for turn, (first, second) in enumerate(itertools.product(SHAPES, repeat=2)):
        jobs = [("a", "i", False), ("b", first, True), ("c", "xi", False), ("d", second, True), ("e", "ie", False)]
        results = await asyncio.gather(
            *(store.write(operation(acts, f"{turn}{name}", shape, fails=fails)) for name, shape, fails in jobs),
            return_exceptions=True,
        )
        assert [isinstance(one, InvalidInput) for one in results] == [fails for *_, fails in jobs]
        stands += [f"{turn}a-0", f"{turn}c-0", f"{turn}c-1", f"{turn}e-0"]
        entries += 1
        assert await store.read(acts.names) == sorted(stands), (first, second)
        assert await store.read(acts.entries) == entries, (first, second)
    assert {name for one in news for name in one.actions} == {name.partition("-")[0] for name in stands}


async def test_rows_that_collide_fail_alone(store, acts):
    results = await asyncio.gather(
        *(store.write(lambda tx, name=name: acts.insert(tx, name)) for name in ("a", "b", "a", "c")),
        return_exceptions=True,
    )
    assert [type(one) for one in results].count(StoreUnavailable) == 1
    assert await store.read(acts.names) == ["a", "b", "c"]


async def test_a_value_that_the_database_cannot_hold_fails_alone(store, acts):
    """A poisoned row is noticed only when the batch is written, and must not take its neighbours along."""
    results = await asyncio.gather(
        store.write(lambda tx: acts.insert(tx, "before")),
        store.write(lambda tx: acts.insert(tx, "poison", 2**70)),
        store.write(lambda tx: acts.insert(tx, "after")),
        return_exceptions=True,
    )
    assert [one is None for one in results] == [True, False, True]
    assert await store.read(acts.names) == ["after", "before"]


async def test_an_operation_reads_what_it_inserted(store, acts):
    def run(tx):
        acts.insert(tx, "mine")
        return acts.names(tx)

    assert await store.write(run) == ["mine"]


async def test_versions_go_back_with_the_operation_that_failed(store):
    seen: list[Versions] = []

    def change(tx):
        tx.roster_changed()
        tx.set_policy("f" * 64)
        raise InvalidInput("no")

    def look(tx):
        seen.append(tx.versions)

    before = await store.read(lambda tx: tx.versions)
    await asyncio.gather(store.write(change), store.write(look), return_exceptions=True)
    assert seen[-1] == before == await store.read(lambda tx: tx.versions)


async def test_many_changes_of_the_roster_at_once_all_count(store):
    before = (await store.read(lambda tx: tx.versions)).roster
    await asyncio.gather(*(store.write(lambda tx: tx.roster_changed()) for _ in range(20)))
    assert (await store.read(lambda tx: tx.versions)).roster == before + 20


async def test_an_operation_that_breaks_is_told_to_its_caller_only(store, acts):
    def breaks(tx):
        raise ZeroDivisionError

    results = await asyncio.gather(
        store.write(breaks), store.write(lambda tx: acts.insert(tx, "a")), return_exceptions=True
    )
    assert isinstance(results[0], ZeroDivisionError)
    assert await store.read(acts.names) == ["a"]


async def test_a_closed_store_says_so(stores: object, store: Store):
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.write(lambda tx: None)
    with pytest.raises(StoreUnavailable):
        await store.read(lambda tx: None)


async def test_whoever_leaves_before_the_commit_disturbs_nobody(store, acts):
    gone = asyncio.ensure_future(store.write(lambda tx: acts.insert(tx, "gone")))
    stays = asyncio.ensure_future(store.write(lambda tx: acts.insert(tx, "stays")))
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert "stays" in await store.read(acts.names)
