"""The page on how reviews go, and the way from it to a standing grant, which nobody makes but a person."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _past(site) -> None:
    for n in range(3):
        request = await site.ask("secret.rotate", "vault/prod/db", {"length": 32, "path": f"keys/SECRETIVE-{n}"})
        await site.decide(request, "chidi", "approve")


async def test_the_page_counts_and_shows_no_value(site, read) -> None:
    await _past(site)
    answer = await site.get("/load?days=7")
    words = read(answer.text).text
    assert "would have let 3 through" in words
    assert "path: in the folder that all were in" in words
    assert "length: always the same value" in words
    assert "SECRETIVE" not in answer.text
    assert "chidi" in words.casefold()


async def test_d7_the_link_fills_in_a_form_and_makes_nothing(site, read) -> None:
    await _past(site)
    page = read((await site.get("/load?days=7")).text)
    (link,) = [one["href"] for one in page.all("a") if one.get("href", "").startswith("/grants?like=")]
    before = await site.gate.grants()
    form = read((await site.get(link)).text)
    assert await site.gate.grants() == before
    assert '"path":{"prefix":"keys/"}' in form.text
    assert {"actor", "operation", "resource", "arguments", "uses", "hours"} <= {
        one.get("name") for kind in ("input", "select", "textarea") for one in form.all(kind)
    }
    assert any(one.get("value") == "vault/prod/db" for one in form.all("input"))


async def test_a_shape_that_is_not_theirs_fills_in_nothing(site) -> None:
    await _past(site)
    (newest, _), *_ = await site.gate.store.read(_newest_action)
    assert (await site.get(f"/grants?like={newest}", "eve")).status_code == 404
    assert (await site.get("/grants?like=act_none")).status_code == 404
    assert (await site.get(f"/grants?like={newest}&days=5")).status_code == 400


async def test_who_sees_little_is_told_so(site, read) -> None:
    assert "as far as you may see it" in read((await site.get("/load", "eve")).text).text
    assert "Nothing was asked" in read((await site.get("/load", "eve")).text).text
    assert (await site.get("/load?days=1000")).status_code == 400


def _newest_action(tx):
    from consentry.store import tables

    return [(row.id, row.resource) for row in tx.execute(tables.actions.select().order_by(tables.actions.c.id.desc()))]
