"""`kill -9` at random points of two processes on one store (threats C2, C3, C6, G1, G8)."""

from __future__ import annotations

import asyncio

import pytest


async def test_c6_killed_at_random_points_nothing_is_lost_forked_or_done_twice(arena):
    await asyncio.to_thread(arena.run, 10)
    told = await arena.judge()
    assert {"asked", "voted", "claimed", "settled", "journaled", "published"} <= set(told)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
async def test_a_hundred_kills(arena, seed):
    arena.seed = seed
    arena.random.seed(seed)
    await asyncio.to_thread(arena.run, 100)
    told = await arena.judge()
    print(dict(told))
