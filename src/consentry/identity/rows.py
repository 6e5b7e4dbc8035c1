"""Between rows and frozen types, and the checks that every change begins with. Functions of a `Tx`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import orjson
from sqlalchemy import Row, func, select

from consentry.actions import Actor, Kind
from consentry.consent.errors import NotAllowed
from consentry.identity.errors import UnknownAgent, UnknownPerson
from consentry.identity.model import ADMINISTRATORS, AgentRecord
from consentry.policy.model import Person
from consentry.store import Tx, tables

AnyRow = Row[object]

FORMER_EMAIL = "former-email"
"""The kind of identity that an address is which was a person's: nobody else can come by it (threat A5)."""

_P, _M, _A, _I = tables.persons.c, tables.memberships.c, tables.agents.c, tables.identities.c


def load_person(tx: Tx, person_id: str) -> Person:
    """The person as recorded, not following merges. Raises `UnknownPerson`."""
    row = tx.execute(select(tables.persons).where(_P.id == person_id)).one_or_none()
    if row is None:
        raise UnknownPerson("there is no such person: see `consentry people list`")
    return person_of(row)


def canonical_person(tx: Tx, person_id: str) -> Person:
    """The one person behind an id, following merges. Raises `UnknownPerson`."""
    person = load_person(tx, person_id)
    for _ in range(32):
        if person.merged_into is None:
            return person
        person = load_person(tx, person.merged_into)
    raise UnknownPerson("this person's merges lead nowhere")


def canonical_persons(tx: Tx, ids: Iterable[str]) -> dict[str, Person]:
    """`canonical_person` for many: one statement for each thousand, and one more for each who was merged."""
    wanted, found = list(ids), dict[str, Person]()
    for start in range(0, len(wanted), 1_000):
        query = select(tables.persons).where(_P.id.in_(wanted[start : start + 1_000]))
        for row in tx.execute(query).all():
            found[row.id] = person_of(row) if row.merged_into is None else canonical_person(tx, row.id)
    return found


def find_person(tx: Tx, key: str) -> Person | None:
    """The person with this e-mail key, or who had it once, following merges."""
    row = tx.execute(select(_P.id).where(_P.email_key == key)).one_or_none()
    if row is None:
        former = select(_I.person_id.label("id")).where(_I.kind == FORMER_EMAIL, _I.issuer == "", _I.subject == key)
        row = tx.execute(former).one_or_none()
    return None if row is None else canonical_person(tx, row.id)


def person_of(row: AnyRow) -> Person:
    return Person(row.id, row.email, row.name, bool(row.active), row.merged_into)


def agent_of(row: AnyRow) -> AgentRecord:
    return AgentRecord(row.id, row.name, Kind(row.kind), row.owner_id, bool(row.active), row.created_at)


def load_agent(tx: Tx, agent_id: str) -> AgentRecord:
    """Raises `UnknownAgent`."""
    row = tx.execute(select(tables.agents).where(_A.id == agent_id)).one_or_none()
    if row is None:
        raise UnknownAgent("there is no such agent: see `consentry agents list`")
    return agent_of(row)


def agent_named(tx: Tx, name: str) -> AgentRecord:
    """Raises `UnknownAgent`."""
    row = tx.execute(select(tables.agents).where(_A.name == name)).one_or_none()
    if row is None:
        raise UnknownAgent("there is no agent of this name: see `consentry agents list`")
    return agent_of(row)


def is_member(tx: Tx, group: str, person_id: str) -> bool:
    query = select(_M.person_id).where(_M.group_name == group, _M.person_id == person_id)
    return tx.execute(query).one_or_none() is not None


def require_administrator(tx: Tx, by: str | None) -> None:
    """Refuse unless `by` is an active administrator; `None` is the installation itself, as at its first start.

    INVARIANT: checked in the transaction of the change, so a removed administrator changes nothing any more.
    """
    if by is None:
        return
    person = canonical_person(tx, by)
    if not person.active or not is_member(tx, ADMINISTRATORS, person.id):
        raise NotAllowed(f"this is for members of the group `{ADMINISTRATORS}`")


def count_administrators(tx: Tx) -> int:
    """How many active persons may administer."""
    query = (
        select(func.count())
        .select_from(tables.memberships.join(tables.persons, _P.id == _M.person_id))
        .where(_M.group_name == ADMINISTRATORS, _P.active.is_(True), _P.merged_into.is_(None))
    )
    return cast(int, tx.execute(query).scalar_one())


def dump_actor(actor: Actor, parents: tuple[bytes, ...] = ()) -> str:
    """A token's chain, and the hashes of the tokens that it was made from."""
    value = {"actor": actor.to_json(), "parents": [one.hex() for one in parents]}
    return orjson.dumps(value).decode("ascii")


def load_actor(text: str) -> tuple[Actor, tuple[bytes, ...]]:
    value = orjson.loads(text)
    return Actor.from_json(value["actor"]), tuple(bytes.fromhex(one) for one in value["parents"])
