"""Whoever waits learns of every commit, whichever process made it (threat C6)."""

from __future__ import annotations

import asyncio

from consentry.store.postgres import MAX_PAYLOAD


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def woken(news):
    return {name for one in news for name in one.actions}


async def test_a_commit_wakes_here_and_elsewhere(stores, acts, heard):
    here, there = await stores.open(), await stores.open()
    at_here, at_there = heard(here), heard(there)

    def act(tx):
        acts.entry(tx, "a", action_id="act_1")
        tx.wake("act_1")

    await here.write(act)
    await until(lambda: "act_1" in woken(at_here))
    await until(lambda: "act_1" in woken(at_there))


async def test_a_commit_of_ones_own_does_not_hide_anothers(stores, acts, heard):
    """Both commit before either has looked: each must still learn of the other's."""
    here, there = await stores.open(), await stores.open()
    news = heard(here)

    def act(name):
        def run(tx):
            acts.entry(tx, name, action_id=name)
            tx.wake(name)

        return run

    for turn in range(5):
        await there.write(act(f"act_theirs{turn}"))
        await here.write(act(f"act_ours{turn}"))
    await until(lambda: {f"act_theirs{turn}" for turn in range(5)} <= woken(news))


async def test_more_than_fits_a_notification_says_look_at_everything(stores, acts, heard):
    here, there = await stores.open(), await stores.open()
    news = heard(there)
    names = [f"act_{number:030}" for number in range(MAX_PAYLOAD // 30)]

    def act(tx):
        for name in names:
            acts.entry(tx, name, action_id=name)
            tx.wake(name)

    await here.write(act)
    await until(lambda: any(one.everything for one in news) or set(names) <= woken(news))


async def test_what_failed_wakes_nobody(stores, acts, heard):
    store = await stores.open()
    news = heard(store)

    def act(tx):
        tx.wake("act_1")
        raise ZeroDivisionError

    await asyncio.gather(store.write(act), return_exceptions=True)
    await store.write(lambda tx: tx.wake("act_2"))
    await until(lambda: "act_2" in woken(news))
    assert "act_1" not in woken(news)


async def test_the_ledger_that_grew_is_told_to_who_follows_it(stores, acts, heard):
    here, there = await stores.open(), await stores.open()
    news = heard(there)
    await here.write(lambda tx: acts.entry(tx, "a"))
    await until(lambda: news)
