"""SCIM below its protocol: names of groups, and what a deactivation leaves to those who are here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scim2_models import ScimFilter
from sqlalchemy import func, select

from consentry.identity.directory import Directory
from consentry.identity.model import ADMINISTRATORS
from consentry.identity.scim import Scim
from consentry.identity.scim_errors import Managed, ScimConflict, ScimRefused, ScimTooMany
from consentry.identity.scim_groups import RESERVED, slug
from consentry.identity.scim_models import Group, Member, User
from consentry.store import Store, Tx, open_store, tables

BASE = "https://consentry.example.com/scim/v2"
NAMES = {
    "Data Stewards": "data-stewards",
    "data-stewards": "data-stewards",
    "  On-Call / EMEA ": "on-call-emea",
    "Größe": "gr-sse",
    "team_1.a": "team_1.a",
    "\uff33ecurity": "security",
}


@pytest.mark.parametrize(("shown", "name"), NAMES.items())
def test_the_name_of_a_group_in_policies(shown: str, name: str) -> None:
    assert slug(shown) == name


@given(st.text(max_size=300))
def test_a_name_is_one_that_policies_can_write_and_never_a_reserved_one(shown: str) -> None:
    try:
        name = slug(shown)
    except ScimRefused:
        return
    assert name not in RESERVED
    assert slug(name) == name
    assert 1 <= len(name) <= 64
    assert name.isascii()
    assert name == name.lower()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = open_store(f"sqlite:///{tmp_path / 'consentry.db'}")
    await opened.start()
    yield opened
    await opened.close()


@pytest.fixture
async def directory(store: Store) -> AsyncIterator[Directory]:
    opened = Directory(store)
    yield opened
    opened.close()


def _entries(tx: Tx) -> object:
    return tx.execute(select(func.count()).select_from(tables.ledger_entries)).scalar_one()


async def test_the_last_administrator_is_put_out_and_a_start_goes_on(store: Store, directory: Directory) -> None:
    first = await directory.first_administrator("root@example.org")
    assert first is not None
    scim = Scim(store, BASE)
    user = await scim.create_user(User(user_name="root@example.org"))
    assert user.id == first.person
    assert (await scim.replace_user(first.person, User(user_name="root@example.org", active=False))).active is False
    assert await directory.first_administrator("root@example.org") is None
    with pytest.raises(Managed):
        await directory.enable(None, first.person)
    second = await directory.first_administrator("other@example.org")
    assert second is not None
    assert second.person != first.person


async def test_a_change_that_changes_nothing_is_no_entry(store: Store, directory: Directory) -> None:
    scim = Scim(store, BASE)
    user = await scim.create_user(User(user_name="ada@example.org", display_name="Ada"))
    before = await store.read(_entries)
    same = await scim.replace_user(str(user.id), User(user_name="ada@example.org", display_name="Ada", active=True))
    assert same == user
    assert await store.read(_entries) == before
    await scim.replace_user(str(user.id), User(user_name="ada@example.org", display_name="Ada L."))
    assert await store.read(_entries) == before + 1


async def test_a5_a_merged_record_is_deactivated_as_the_one_human(store: Store, directory: Directory) -> None:
    scim = Scim(store, BASE)
    user = await scim.create_user(User(user_name="ada@example.org"))
    kept = await directory.invite(None, "countess@example.net")
    await directory.merge(None, str(user.id), kept.person)
    await scim.create_group(Group(display_name="Stewards", members=[Member(value=user.id)]))
    assert [one.person for one in await directory.memberships()] == [kept.person]
    await scim.delete_user(str(user.id))
    assert (await directory.person(kept.person)).active is False


async def test_a1_reserved_groups_are_refused_below_the_protocol_too(store: Store) -> None:
    with pytest.raises(ScimRefused, match="not the identity provider's"):
        await Scim(store, BASE).create_group(Group(display_name=ADMINISTRATORS))


async def test_a_filter_reads_through_so_many_and_looks_names_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consentry.identity.scim.MOST_SCANNED", 2)
    scim = Scim(store, BASE)
    for name in ("ada", "ben", "cyd"):
        await scim.create_user(User(user_name=name))
    with pytest.raises(ScimTooMany):
        await scim.users(ScimFilter[User]('displayName sw "a"'), 1, 10)
    assert (await scim.users(ScimFilter[User]('userName eq "CYD"'), 1, 10)).total == 1
    assert (await scim.users(None, 1, 10)).total == 3


async def test_a_user_name_is_one_in_every_spelling(store: Store) -> None:
    scim = Scim(store, BASE)
    await scim.create_user(User(user_name="Ada"))
    for name in ("ada", "ADA", "\uff21da"):
        with pytest.raises(ScimConflict):
            await scim.create_user(User(user_name=name))
