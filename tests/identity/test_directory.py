"""Persons, groups, agents, sessions and exchanged tokens, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from consentry.actions import Kind
from consentry.consent.errors import NotAllowed
from consentry.errors import ConsentryError, InvalidInput
from consentry.identity.directory import CACHED_MS, Directory
from consentry.identity.errors import (
    IdentityTaken,
    InvalidExchange,
    LastAdministrator,
    NameTaken,
    NotSignedIn,
    UnknownGroup,
    UnknownSession,
)
from consentry.identity.model import SignedIn
from consentry.identity.sessions import Lifetimes
from consentry.store import Store, open_store, tables

HOUR = 3_600_000
LIFETIMES = Lifetimes(link_ms=4 * HOUR, idle_ms=12 * HOUR, session_ms=24 * HOUR, exchanged_ms=HOUR)


@dataclass
class House:
    directory: Directory
    store: Store
    offset: list[int] = field(default_factory=lambda: [0])
    admin: SignedIn | None = None

    @property
    def by(self) -> str:
        assert self.admin is not None
        return self.admin.session.subject

    async def person(self, email: str, *groups: str) -> SignedIn:
        invitation = await self.directory.invite(self.by, email, groups=groups)
        return await self.directory.sign_in(invitation.token)

    async def types(self) -> list[str]:
        """The types of all entries, in order, from the ledger or from what waits for its place in it."""
        from consentry.ledger.entry import decode_entry

        def run(tx) -> list[str]:
            found = []
            for table, order in ((tables.ledger_entries, "seq"), (tables.ledger_outbox, "id")):
                found += [row.entry for row in tx.execute(select(table).order_by(table.c[order]))]
            return [decode_entry(bytes(entry)).type for entry in found]

        return await self.store.read(run)


@pytest.fixture
async def house(store_url: str) -> AsyncIterator[House]:
    offset = [0]
    store = open_store(store_url, offset_ms=lambda: offset[0])
    await store.start()
    directory = Directory(store, LIFETIMES)
    made = House(directory, store, offset)
    invitation = await directory.first_administrator("root@example.org")
    assert invitation is not None
    made.admin = await directory.sign_in(invitation.token)
    yield made
    directory.close()
    await store.close()


async def test_the_first_start_makes_one_administrator(house) -> None:
    assert await house.directory.first_administrator("other@example.org") is None
    assert await house.directory.administrator_awaited() is None


async def test_a_link_signs_in_once(house) -> None:
    link = await house.directory.invite(house.by, "ada@example.org")
    answers = await asyncio.gather(*(house.directory.sign_in(link.token) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, SignedIn) for one in answers) == 1
    assert all(isinstance(one, SignedIn | NotSignedIn) for one in answers)


async def test_a_link_expires(house) -> None:
    link = await house.directory.invite(house.by, "ada@example.org")
    house.offset[0] += LIFETIMES.link_ms
    with pytest.raises(NotSignedIn):
        await house.directory.sign_in(link.token)


async def test_a_link_is_no_session(house) -> None:
    link = await house.directory.invite(house.by, "ada@example.org")
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(link.token)
    with pytest.raises(NotSignedIn):
        await house.directory.sign_in(house.admin.token)


async def test_a_session_ends_when_idle_and_at_the_latest_after_its_whole_time(house) -> None:
    ada = await house.person("ada@example.org")
    for _ in range(3):
        house.offset[0] += 7 * HOUR
        await house.directory.authenticate(ada.token)
    house.offset[0] += 3 * HOUR
    with pytest.raises(NotSignedIn):  # 24 h since it began, though it was used all the time
        await house.directory.authenticate(ada.token)


async def test_an_idle_session_ends(house) -> None:
    ada = await house.person("ada@example.org")
    house.offset[0] += LIFETIMES.idle_ms
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(ada.token)


@pytest.mark.parametrize("token", ["", "ps_", "xx_" + "a" * 43, "ag_" + "a" * 42, "ps_" + "é" * 43, "ag_" + "a" * 43])
async def test_what_is_no_token_signs_nobody_in(house, token) -> None:
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(token)


async def test_a5_a_variant_of_an_address_is_the_same_person(house) -> None:
    one = await house.directory.invite(house.by, "ada.lovelace@example.org")
    two = await house.directory.invite(house.by, "AdaLovelace+2@example.org")
    assert two.person == one.person
    assert (one.created, two.created) == (True, False)


async def test_a5_racing_invitations_make_one_person(house) -> None:
    made = await asyncio.gather(*(house.directory.invite(house.by, f"a.da+{n}@example.org") for n in range(5)))
    assert len({one.person for one in made}) == 1


async def test_a5_merged_records_are_one(house) -> None:
    ada, twin = await house.person("ada@example.org", "stewards"), await house.person("ada@other.example")
    await house.directory.merge(house.by, ada.session.subject, twin.session.subject, "same human")
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(ada.token)
    assert (await house.directory.person("ada@example.org")).id == twin.session.subject
    groups = {one.person: one.group for one in await house.directory.memberships() if one.group == "stewards"}
    assert groups == {twin.session.subject: "stewards"}


async def test_a12_a_merge_brings_no_older_membership(house) -> None:
    ada, bob = await house.person("ada@example.org", "stewards"), await house.person("bob@example.org")
    before = {one.person: one.since_ms for one in await house.directory.memberships()}[ada.session.subject]
    house.offset[0] += 1000
    await house.directory.merge(house.by, ada.session.subject, bob.session.subject)
    after = {one.person: one.since_ms for one in await house.directory.memberships()}[bob.session.subject]
    assert after >= before + 1000


async def test_d3_an_identity_belongs_to_one_person(house) -> None:
    ada, bob = await house.person("ada@example.org"), await house.person("bob@example.org")
    made = await house.directory.link(house.by, ada.session.subject, "slack", "T1", "U1")
    assert (await house.directory.by_identity("slack", "T1", "U1")).id == ada.session.subject
    assert await house.directory.by_identity("slack", "T2", "U1") is None
    with pytest.raises(IdentityTaken):
        await house.directory.link(house.by, bob.session.subject, "slack", "T1", "U1")
    await house.directory.unlink(house.by, made.id)
    assert await house.directory.by_identity("slack", "T1", "U1") is None


async def test_d2_a_disabled_persons_identity_is_nobody(house) -> None:
    ada = await house.person("ada@example.org")
    await house.directory.link(house.by, ada.session.subject, "slack", "T1", "U1")
    await house.directory.disable(house.by, ada.session.subject)
    assert await house.directory.by_identity("slack", "T1", "U1") is None


async def test_a12_an_added_member_keeps_their_first_day_and_a_returned_one_starts_anew(house) -> None:
    ada = await house.person("ada@example.org", "stewards")
    since = (await house.directory.memberships())[-1].since_ms
    house.offset[0] += 1000
    await house.directory.add_to_group(house.by, "stewards", ada.session.subject)
    assert (await house.directory.memberships())[-1].since_ms == since
    await house.directory.remove_from_group(house.by, "stewards", ada.session.subject)
    await house.directory.add_to_group(house.by, "stewards", ada.session.subject)
    assert (await house.directory.memberships())[-1].since_ms >= since + 1000
    with pytest.raises(UnknownGroup):
        await house.directory.remove_from_group(house.by, "ghosts", ada.session.subject)


async def test_a12_an_enabled_person_starts_anew_in_their_groups(house) -> None:
    ada = await house.person("ada@example.org", "stewards")
    since = (await house.directory.memberships())[-1].since_ms
    house.offset[0] += 1000
    await house.directory.disable(house.by, ada.session.subject)
    await house.directory.enable(house.by, ada.session.subject)
    assert (await house.directory.memberships())[-1].since_ms >= since + 1000


async def test_the_last_administrator_cannot_be_removed_or_disabled(house) -> None:
    with pytest.raises(LastAdministrator):
        await house.directory.remove_from_group(house.by, "admins", house.by)
    with pytest.raises(LastAdministrator):
        await house.directory.disable(house.by, house.by)
    assert (await house.directory.authenticate(house.admin.token)).subject == house.by


async def test_two_administrators_cannot_remove_each_other_at_once(house) -> None:
    ada = await house.person("ada@example.org", "admins")
    await asyncio.gather(
        house.directory.remove_from_group(house.by, "admins", ada.session.subject),
        house.directory.remove_from_group(ada.session.subject, "admins", house.by),
        return_exceptions=True,
    )
    left = [one for one in await house.directory.memberships() if one.group == "admins"]
    assert len(left) == 1


CHANGES = {
    "invite another": lambda d, by, who: d.invite(by, "new@example.org"),
    "invite into a group": lambda d, by, who: d.invite(by, "ada@example.org", groups=("admins",)),
    "join a group": lambda d, by, who: d.add_to_group(by, "admins", by),
    "leave a group": lambda d, by, who: d.remove_from_group(by, "admins", who),
    "disable": lambda d, by, who: d.disable(by, who),
    "enable": lambda d, by, who: d.enable(by, who),
    "merge": lambda d, by, who: d.merge(by, who, by),
    "link": lambda d, by, who: d.link(by, by, "slack", "T1", "U1"),
    "create an agent": lambda d, by, who: d.create_agent(by, "x", by),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_only_administrators_change_who_there_is(house, change) -> None:
    ada = await house.person("ada@example.org")
    before = await house.types()
    with pytest.raises(NotAllowed):
        await CHANGES[change](house.directory, ada.session.subject, house.by)
    assert await house.types() == before


async def test_a_person_may_make_another_link_for_themselves(house) -> None:
    ada = await house.person("ada@example.org")
    link = await house.directory.invite(ada.session.subject, "ada@example.org")
    assert (await house.directory.sign_in(link.token)).session.subject == ada.session.subject


async def test_every_change_is_recorded(house) -> None:
    before = len(await house.types())
    ada = await house.person("ada@example.org", "stewards")
    agent = await house.directory.create_agent(house.by, "etl", ada.session.subject)
    await house.directory.rotate_agent(house.by, agent.agent.id)
    await house.directory.change_agent_owner(house.by, agent.agent.id, house.by)
    await house.directory.revoke_agent(house.by, agent.agent.id)
    await house.directory.disable(house.by, ada.session.subject)
    await house.directory.enable(house.by, ada.session.subject)
    assert (await house.types())[before:] == [
        "person.invited", "group.added", "session.opened", "agent.created", "session.closed", "agent.rotated",
        "agent.owner_changed", "session.closed", "agent.revoked", "person.disabled", "session.closed",
        "person.enabled",
    ]  # fmt: skip


async def test_an_agent_answers_to_an_active_person(house) -> None:
    ada = await house.person("ada@example.org")
    made = await house.directory.create_agent(house.by, "etl", ada.session.subject, Kind.SERVICE)
    session = await house.directory.authenticate(made.token)
    assert (session.kind, session.actor.kind, session.assurance) == (Kind.SERVICE, Kind.SERVICE, None)
    with pytest.raises(NotAllowed):
        session.voter("api")
    await house.directory.disable(house.by, ada.session.subject)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(made.token)
    with pytest.raises(InvalidInput):
        await house.directory.create_agent(house.by, "two", ada.session.subject)


async def test_a2_who_answered_for_an_agent_cannot_act_as_it_any_more(house) -> None:
    """They may hold its token, and would be free to consent to what it asks."""
    ada, bob = await house.person("ada@example.org"), await house.person("bob@example.org")
    made = await house.directory.create_agent(house.by, "etl", ada.session.subject)
    await house.directory.change_agent_owner(house.by, made.agent.id, ada.session.subject)  # no change
    await house.directory.authenticate(made.token)
    await house.directory.change_agent_owner(house.by, made.agent.id, bob.session.subject)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(made.token)
    rotated = await house.directory.rotate_agent(bob.session.subject, made.agent.id)
    await house.directory.authenticate(rotated.token)


async def test_agents_have_names_of_their_own(house) -> None:
    await house.directory.create_agent(house.by, "etl", house.by)
    with pytest.raises(NameTaken):
        await house.directory.create_agent(house.by, "etl", house.by)
    for name in ("", "Etl", "e tl", "x" * 65, "é"):
        with pytest.raises(InvalidInput):
            await house.directory.create_agent(house.by, name, house.by)


@pytest.mark.parametrize("end", ["rotated", "revoked", "owner disabled", "a moment passed"])
async def test_what_is_known_of_a_token_is_forgotten_at_once(house, end) -> None:
    owner = await house.person("own@example.org")
    made = await house.directory.create_agent(house.by, "etl", owner.session.subject)
    assert house.directory.known(made.token) is None
    async with asyncio.timeout(30):
        while house.directory.known(made.token) is None:  # news of what was just made may come late
            session = await house.directory.authenticate(made.token)
    assert house.directory.known(made.token) == session
    if end == "a moment passed":
        house.offset[0] += CACHED_MS
    elif end == "owner disabled":
        await house.directory.disable(house.by, made.agent.owner)
    else:
        await (house.directory.rotate_agent if end == "rotated" else house.directory.revoke_agent)(
            house.by, made.agent.id
        )
    assert house.directory.known(made.token) is None


async def test_nothing_is_known_of_tokens_that_are_looked_up_each_time(house) -> None:
    await house.directory.authenticate(house.admin.token)
    for token in (house.admin.token, "ag_", "é" * 46, ""):
        assert house.directory.known(token) is None


async def test_a_rotated_or_revoked_token_ends_at_once(house) -> None:
    made = await house.directory.create_agent(house.by, "etl", house.by)
    await house.directory.authenticate(made.token)  # remembered from here on
    rotated = await house.directory.rotate_agent(house.by, made.agent.id)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(made.token)
    await house.directory.authenticate(rotated.token)
    await house.directory.revoke_agent(house.by, made.agent.id)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(rotated.token)
    with pytest.raises(NotAllowed):
        await house.directory.rotate_agent(house.by, made.agent.id)


async def test_an_owner_may_rotate_and_others_may_not(house) -> None:
    ada, bob = await house.person("ada@example.org"), await house.person("bob@example.org")
    made = await house.directory.create_agent(house.by, "etl", ada.session.subject)
    with pytest.raises(NotAllowed):
        await house.directory.rotate_agent(bob.session.subject, made.agent.id)
    await house.directory.rotate_agent(ada.session.subject, made.agent.id)


async def test_an_exchanged_token_names_both_and_is_an_agents(house) -> None:
    ada = await house.person("ada@example.org")
    made = await house.directory.create_agent(house.by, "etl", house.by)
    acting = await house.directory.exchange(made.token, ada.token)
    session = await house.directory.authenticate(acting.token)
    assert [(link.kind, link.id) for link in session.actor.links()] == [
        (Kind.AGENT, made.agent.id),
        (Kind.PERSON, ada.session.subject),
    ]
    with pytest.raises(NotAllowed):
        session.voter("api")


ENDS = {
    "person disabled": lambda h, made, ada: h.directory.disable(h.by, ada.session.subject),
    "person signed out": lambda h, made, ada: h.directory.sign_out(ada.session, ada.session.id),
    "agent rotated": lambda h, made, ada: h.directory.rotate_agent(h.by, made.agent.id),
    "agent revoked": lambda h, made, ada: h.directory.revoke_agent(h.by, made.agent.id),
    "owner disabled": lambda h, made, ada: h.directory.disable(h.by, made.agent.owner),
}


@pytest.mark.parametrize("end", ENDS)
async def test_an_exchanged_token_ends_with_either_of_the_two(house, end) -> None:
    ada, owner = await house.person("ada@example.org"), await house.person("own@example.org")
    made = await house.directory.create_agent(house.by, "etl", owner.session.subject)
    acting = await house.directory.exchange(made.token, ada.token)
    await house.directory.authenticate(acting.token)
    await ENDS[end](house, made, ada)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(acting.token)


async def test_an_exchanged_token_expires(house) -> None:
    ada = await house.person("ada@example.org")
    made = await house.directory.create_agent(house.by, "etl", house.by)
    acting = await house.directory.exchange(made.token, ada.token)
    await house.directory.authenticate(acting.token)
    house.offset[0] += LIFETIMES.exchanged_ms
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(acting.token)


async def test_an_exchange_takes_an_agents_own_token_and_one_that_holds(house) -> None:
    ada = await house.person("ada@example.org")
    made = await house.directory.create_agent(house.by, "etl", house.by)
    other = await house.directory.create_agent(house.by, "other", house.by)
    acting = await house.directory.exchange(made.token, ada.token)
    for actor, subject in (
        (ada.token, ada.token),
        (acting.token, ada.token),
        (made.token, "ps_" + "a" * 43),
        (made.token, "é"),
        ("nothing", ada.token),
        (made.token, made.token),
        (made.token, acting.token),
    ):
        with pytest.raises(InvalidExchange):
            await house.directory.exchange(actor, subject)
    longer = await house.directory.exchange(other.token, acting.token)
    assert len(list(longer.session.actor.links())) == 3


async def test_a_session_is_closed_by_its_person_the_owner_or_an_administrator(house) -> None:
    ada, bob = await house.person("ada@example.org"), await house.person("bob@example.org")
    made = await house.directory.create_agent(house.by, "etl", ada.session.subject)
    agent = await house.directory.authenticate(made.token)
    with pytest.raises(UnknownSession):
        await house.directory.sign_out(bob.session, agent.id)
    with pytest.raises(UnknownSession):
        await house.directory.sign_out(agent, ada.session.id)
    for name in ("", "ses_", "ses_zz", "ses_" + "0" * 32):
        with pytest.raises(UnknownSession):
            await house.directory.sign_out(bob.session, name)
    await house.directory.sign_out(ada.session, agent.id)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(made.token)
    await house.directory.sign_out(house.admin.session, bob.session.id)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(bob.token)


async def test_what_ends_on_another_replica_ends_here(house, store_url) -> None:
    made = await house.directory.create_agent(house.by, "etl", house.by)
    store = open_store(store_url)
    await store.start()
    other = Directory(store, LIFETIMES)
    heard = asyncio.Event()
    try:
        await other.authenticate(made.token)
        store.listen(lambda _news: heard.set())
        await house.directory.revoke_agent(house.by, made.agent.id)
        await asyncio.wait_for(heard.wait(), 20)
        with pytest.raises(NotSignedIn):
            await other.authenticate(made.token)
    finally:
        other.close()
        await store.close()


async def test_no_token_is_stored_in_clear(house) -> None:
    made = await house.directory.create_agent(house.by, "etl", house.by)

    def everything(tx) -> str:
        return repr([tuple(row) for table in tables.metadata.sorted_tables for row in tx.execute(select(table))])

    text = await house.store.read(everything)
    for token in (made.token, house.admin.token):
        assert token not in text


async def test_errors_have_codes_of_their_own() -> None:
    from consentry.identity import errors

    kinds = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, ConsentryError)]
    own = [one for one in kinds if one.__module__ == errors.__name__]
    assert len({one.code for one in own}) == len(own)


async def test_a12_nothing_remembered_counts_while_somebody_looks_whether_it_still_holds(house, monkeypatch) -> None:
    """Where reads take their time, a token that was taken back must not be good for as long as one takes."""
    agent = await house.directory.create_agent(house.by, "etl", house.by)
    other = await house.directory.create_agent(house.by, "other", house.by)
    for one in (agent, other):
        await house.directory.authenticate(one.token)
    await house.directory.revoke_agent(house.by, agent.agent.id)
    go_on, read = asyncio.Event(), house.store.read

    async def slow(work):
        await go_on.wait()
        return await read(work)

    monkeypatch.setattr(house.store, "read", slow)
    looking = asyncio.create_task(house.directory.authenticate(other.token))
    await asyncio.sleep(0)
    assert house.directory.known(agent.token) is None
    asked = asyncio.create_task(house.directory.authenticate(agent.token))
    go_on.set()
    assert (await looking).subject == other.agent.id
    with pytest.raises(NotSignedIn):
        await asked
