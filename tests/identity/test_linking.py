"""Who an account at a provider is, links that others make, and merging; on each database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from consentry.channels import linking
from consentry.channels.linking import ChatUser
from consentry.consent.errors import NotAllowed
from consentry.identity import oidc_flows, server_keys
from consentry.identity.directory import Directory
from consentry.identity.errors import IdentityTaken, NotSignedIn
from consentry.identity.linking import LinkRule
from consentry.identity.model import SignedIn
from consentry.identity.notices import UnknownNotice
from consentry.identity.oidc import SignInRefused, new_flow
from consentry.identity.oidc_claims import Asserted
from consentry.identity.providers import Provider
from consentry.identity.scim import Scim
from consentry.identity.scim_models import Group, Member, User
from consentry.store import Store, open_store

CORP = Provider("corp", "https://id.example.org", "client", domains=("example.org",), invite_only=False)
PARTNER = Provider("partner", "https://id.partner.example", "client", domains=("example.org",))


def account(subject: str = "ada-1", email: str | None = "ada@example.org", provider: Provider = CORP, groups=None):
    return Asserted(provider, subject, email, None, None if groups is None else frozenset(groups))


@dataclass
class House:
    store: Store
    directory: Directory
    root: SignedIn

    def ruled(self, rule: LinkRule, *, providers: bool = True) -> Directory:
        return Directory(self.store, links=rule, providers=providers)


@pytest.fixture
async def house(store_url: str) -> AsyncIterator[House]:
    store = open_store(store_url)
    await store.start()
    directory = Directory(store)
    first = await directory.first_administrator("root@example.org")
    assert first is not None
    yield House(store, directory, await directory.sign_in(first.token))
    directory.close()
    await store.close()


async def test_two_sign_ins_at_once_of_somebody_new_make_one_person(house) -> None:
    done = await asyncio.gather(
        *(house.directory.sign_in_with(account(groups=["oncall"])) for _ in range(6)), return_exceptions=True
    )
    assert {type(one) for one in done} == {SignedIn}
    assert len({one.session.subject for one in done}) == 1
    assert len(await house.directory.identities()) == 1
    assert [one.group for one in await house.directory.memberships()] == ["admins", "oncall"]


async def test_two_accounts_at_once_with_one_address_make_one_of_them_the_person(house) -> None:
    done = await asyncio.gather(
        *(house.directory.sign_in_with(account(f"sub-{number}")) for number in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, SignedIn) for one in done) == 1
    assert all(isinstance(one, SignedIn | SignInRefused) for one in done)


async def test_a5_providers_that_both_speak_for_a_domain_make_one_person(house) -> None:
    first = await house.directory.sign_in_with(account())
    second = await house.directory.sign_in_with(account("x-9", provider=PARTNER))
    assert first.session.subject == second.session.subject


async def test_a5_the_same_subject_at_another_issuer_is_somebody_else(house) -> None:
    await house.directory.sign_in_with(account())
    with pytest.raises(SignInRefused):
        await house.directory.sign_in_with(account(email=None, provider=PARTNER))


async def test_a5_a_merged_persons_account_stays_theirs(house) -> None:
    old = await house.directory.sign_in_with(account())
    await house.directory.invite(None, "lovelace@example.org")
    into = (await house.directory.person("lovelace@example.org")).id
    await house.directory.merge(None, old.session.subject, into)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(old.token)
    again = await house.directory.sign_in_with(account())
    assert again.session.subject == into
    with pytest.raises(SignInRefused):  # and a second account with the other address is not taken for theirs
        await house.directory.sign_in_with(account("eve", "lovelace@example.org"))


async def test_linking_takes_an_open_session(house) -> None:
    ada = await house.directory.sign_in_with(account())
    await house.directory.link_with(account("ada-2", None), ada.session.id)
    again = await house.directory.link_with(account("ada-2", None), ada.session.id)
    assert again.person == ada.session.subject
    with pytest.raises(IdentityTaken):
        await house.directory.link_with(account("ada-2", None), house.root.session.id)
    await house.directory.sign_out(ada.session, ada.session.id)
    with pytest.raises((SignInRefused, NotSignedIn)):
        await house.directory.link_with(account("ada-3", None), ada.session.id)
    for name in ("ses_00", "", "ses_" + "0" * 32):
        with pytest.raises(SignInRefused):
            await house.directory.link_with(account("ada-3", None), name)


async def test_an_agents_session_links_nothing(house) -> None:
    made = await house.directory.create_agent(None, "etl", house.root.session.subject)
    session = await house.directory.authenticate(made.token)
    with pytest.raises(SignInRefused):
        await house.directory.link_with(account(), session.id)


async def test_a12_a_group_that_left_at_the_provider_is_left_even_by_the_last_administrator(house) -> None:
    ada = await house.directory.sign_in_with(account(groups=["admins"]))
    await house.directory.remove_from_group(ada.session.subject, "admins", house.root.session.subject)
    await house.directory.sign_in_with(account(groups=[]))
    assert not await house.directory.memberships()
    assert await house.directory.first_administrator("root@example.org") is not None  # the next start lets somebody in


async def test_a_group_that_two_providers_give_is_left_when_both_have_taken_it(house) -> None:
    person = (await house.directory.sign_in_with(account(groups=["oncall"]))).session.subject
    await house.directory.sign_in_with(account("x-9", provider=PARTNER, groups=["oncall"]))

    async def groups() -> list[str]:
        return [one.group for one in await house.directory.memberships() if one.person == person]

    await house.directory.sign_in_with(account(groups=[]))
    assert await groups() == ["oncall"]
    await house.directory.sign_in_with(account("x-9", provider=PARTNER, groups=[]))
    assert await groups() == []


async def test_a_session_says_who_made_its_link(house) -> None:
    root = house.root.session.subject
    link = await house.directory.invite(root, "ada@example.org")
    ada = await house.directory.sign_in(link.token)
    assert ada.session.issued_by == root
    assert (await house.directory.authenticate(ada.token)).issued_by == root
    assert [one.issued_by for one in await house.directory.sessions(ada.session.subject)] == [root]
    own = await house.directory.invite(ada.session.subject, "ada@example.org")
    assert (await house.directory.sign_in(own.token)).session.issued_by is None
    assert house.root.session.issued_by is None  # of the installation itself


@pytest.mark.parametrize("rule", list(LinkRule))
async def test_for_whom_somebody_else_may_make_a_link(house, rule) -> None:
    """`nobody` has never signed in, `linked` has a provider, `local` has signed in by a link only."""
    root, directory = house.root.session.subject, house.ruled(rule)
    await directory.invite(root, "nobody@example.org")
    await directory.sign_in((await directory.invite(root, "local@example.org")).token)
    await directory.sign_in_with(account("linked-1", "linked@example.org"))
    allowed = set()
    for name in ("nobody", "local", "linked"):
        try:
            await directory.invite(root, f"{name}@example.org")
            allowed.add(name)
        except NotAllowed:
            pass
        person = await directory.person(f"{name}@example.org")
        for by in (None, person.id):  # the machine itself, and the person
            assert (await directory.invite(by, person.email)).token
    assert (
        allowed
        == {
            LinkRule.ALWAYS: {"nobody", "local", "linked"},
            LinkRule.FIRST_SIGN_IN: {"nobody"},
            LinkRule.NEVER_WHEN_PROVIDER: {"nobody", "local"},
        }[rule]
    )
    directory.close()


async def test_a_link_that_was_made_before_ends_with_the_first_sign_in_at_a_provider(house) -> None:
    directory = house.ruled(LinkRule.NEVER_WHEN_PROVIDER)
    link = await directory.invite(house.root.session.subject, "ada@example.org")
    await directory.sign_in_with(account())
    with pytest.raises(NotAllowed):
        await directory.sign_in(link.token)
    directory.close()


async def test_without_providers_links_are_as_they_were(house) -> None:
    directory = house.ruled(LinkRule.NEVER_WHEN_PROVIDER, providers=False)
    await directory.sign_in_with(account())
    assert await directory.sign_in((await directory.invite(house.root.session.subject, "ada@example.org")).token)
    directory.close()


async def test_what_others_could_do_as_somebody_ends_with_their_first_sign_in_at_a_provider(house) -> None:
    """Whoever made the link of somebody who was invited must not stay them (account pre-hijacking)."""
    root = house.root.session.subject
    link = await house.directory.invite(root, "ada@example.org")
    theirs = await house.directory.sign_in(link.token)
    chat = ChatUser("slack", "T1", "U-root")
    await house.store.write(lambda tx: linking.offer(tx, chat, "one"))
    await house.store.write(lambda tx: linking.confirm(tx, "one", theirs.session))
    own = await house.directory.sign_in((await house.directory.invite(link.person, "ada@example.org")).token)
    mine = ChatUser("slack", "T1", "U-ada")
    await house.store.write(lambda tx: linking.offer(tx, mine, "two"))
    await house.store.write(lambda tx: linking.confirm(tx, "two", own.session))

    ada = await house.directory.sign_in_with(account())

    assert ada.session.subject == link.person
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(theirs.token)
    with pytest.raises(linking.NotLinked):
        await house.store.read(lambda tx: linking.who(tx, chat))
    assert (await house.directory.authenticate(own.token)).subject == link.person
    assert (await house.store.read(lambda tx: linking.who(tx, mine))).person.id == link.person


@pytest.mark.parametrize("group", ["admins", "stewards"])
async def test_a12_an_address_that_scim_has_moved_gives_nobody_a_group_of_ours(house, group) -> None:
    """The SCIM token and an ordinary account at the provider are not worth a group that SCIM may not fill."""
    victim = await house.directory.invite(None, "ada@example.org", groups=(group,))
    scim = Scim(house.store, "https://consentry.example.org/scim/v2")
    await scim.create_user(User(user_name="ada@example.org"))
    await scim.replace_user(victim.person, User(user_name="mallory@example.org"))
    with pytest.raises(SignInRefused):
        await house.directory.sign_in_with(account("mallory-1", "mallory@example.org"))


async def test_a12_somebody_who_comes_by_a_moved_address_decides_nothing_that_was_asked_before(house) -> None:
    scim = Scim(house.store, "https://consentry.example.org/scim/v2")
    user = await scim.create_user(User(user_name="ada@example.org"))
    await scim.create_group(Group(display_name="Stewards", members=[Member(value=user.id)]))
    (before,) = [one for one in await house.directory.memberships() if one.group == "stewards"]
    await scim.replace_user(str(user.id), User(user_name="countess@example.org"))
    await asyncio.sleep(0.01)
    came = await house.directory.sign_in_with(account("ada-1", "countess@example.org"))
    (after,) = [one for one in await house.directory.memberships() if one.group == "stewards"]
    assert (came.session.subject, after.person) == (user.id, user.id)
    assert after.since_ms > before.since_ms


@pytest.mark.parametrize("rule", [LinkRule.ALWAYS, LinkRule.NEVER_WHEN_PROVIDER])
async def test_a2_a_link_for_oneself_does_not_hide_who_opened_the_session(house, rule) -> None:
    """Else whoever made somebody's link would be them without a trace, and stay them."""
    root, directory = house.root.session.subject, house.ruled(rule)
    theirs = await directory.sign_in((await directory.invite(root, "ada@example.org")).token)
    asked = {"issued_by": theirs.session.issued_by}
    again = await directory.sign_in((await directory.invite(theirs.session.subject, "ada@example.org", **asked)).token)
    assert again.session.issued_by == root
    await directory.sign_in_with(account())
    with pytest.raises(NotSignedIn):
        await directory.authenticate(again.token)
    directory.close()


async def test_a5_an_account_that_somebody_else_linked_does_not_keep_its_person_out(house) -> None:
    """Root opens Ada's invitation and links an account of their own at her provider: it is not hers, and ends."""
    root = house.root.session.subject
    theirs = await house.directory.sign_in((await house.directory.invite(root, "ada@example.org")).token)
    await house.directory.link_with(account("root-2", None), theirs.session.id)
    puppet = await house.directory.sign_in_with(account("root-2", None))
    assert (puppet.session.subject, puppet.session.issued_by) == (theirs.session.subject, root)
    assert (await house.directory.authenticate(theirs.token)).issued_by == root  # nobody vouched for Ada yet

    ada = await house.directory.sign_in_with(account())

    assert (ada.session.subject, ada.session.issued_by) == (theirs.session.subject, None)
    assert [one.subject for one in await house.directory.identities(ada.session.subject)] == ["ada-1"]
    for token in (theirs.token, puppet.token):
        with pytest.raises(NotSignedIn):
            await house.directory.authenticate(token)
    with pytest.raises(SignInRefused):
        await house.directory.sign_in_with(account("root-2", None))
    told = [(one.kind.value, one.label, one.by) for one in await house.directory.notices(ada.session.subject)]
    assert told == [("unlinked", "oidc https://id.example.org root-2", root)]


async def test_what_others_could_do_ends_with_the_first_sign_in_of_an_account_that_was_linked_beforehand(house) -> None:
    root = house.root.session.subject
    theirs = await house.directory.sign_in((await house.directory.invite(root, "ada@example.org")).token)
    await house.directory.link(root, theirs.session.subject, "oidc", CORP.issuer, "ada-1")
    ada = await house.directory.sign_in_with(account(email=None))
    assert ada.session.subject == theirs.session.subject
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(theirs.token)
    assert [one.kind.value for one in await house.directory.notices(ada.session.subject)] == ["linked"]


async def test_notices_go_with_whoever_a_person_turns_out_to_be(house) -> None:
    root = house.root.session.subject
    ada = (await house.directory.invite(root, "ada@example.org")).person
    into = (await house.directory.invite(root, "countess@example.org")).person
    identity = await house.directory.link(root, ada, "slack", "T1", "U1")
    await house.directory.merge(root, ada, into)
    (notice,) = await house.directory.notices(into)
    assert (notice.about, notice.by) == (identity.id, root)
    with pytest.raises(UnknownNotice):
        await house.directory.dismiss(ada, notice.id)
    await house.directory.dismiss(into, notice.id)
    assert await house.directory.notices(into) == ()


async def test_c2_a_sign_in_that_a_cookie_holds_ends_once(house) -> None:
    """Also where the provider would take its code again, and ten callbacks come at once."""
    flow, until_ms = new_flow("corp", "/"), house.store.clock_ms() + 60_000

    async def finish():
        return await house.directory.sign_in_with(account(), lambda tx: oidc_flows.end(tx, flow, until_ms))

    done = await asyncio.gather(*(finish() for _ in range(10)), return_exceptions=True)
    assert sum(isinstance(one, SignedIn) for one in done) == 1
    assert sum(isinstance(one, SignInRefused) for one in done) == 9
    with pytest.raises(SignInRefused):
        await finish()
    with pytest.raises(SignInRefused):
        await house.store.write(lambda tx: oidc_flows.end(tx, new_flow("corp", "/"), tx.now_ms))


async def test_replicas_share_a_key_whoever_made_it(house) -> None:
    made = await asyncio.gather(*(house.store.write(lambda tx: server_keys.make(tx, "a")) for _ in range(4)))
    assert len(set(made)) == 1
    assert len(made[0]) == 32
    assert await house.store.write(lambda tx: server_keys.make(tx, "b")) != made[0]
