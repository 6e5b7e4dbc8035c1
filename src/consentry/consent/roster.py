"""Who there is, read from the store once for each version of the roster."""

from __future__ import annotations

from sqlalchemy import select

from consentry.consent.model import Delegation
from consentry.policy.model import Agent, Membership, Person, Roster
from consentry.store import Tx, tables


class Directory:
    """Keeps the newest roster; a transaction that sees another version reads it anew."""

    def __init__(self) -> None:
        self._roster = Roster(version=-1)

    @property
    def latest(self) -> Roster:
        """The newest roster seen; a transaction decides with `current` whether it still holds."""
        return self._roster

    def current(self, tx: Tx) -> Roster:
        """The roster that holds in this transaction."""
        if self._roster.version != tx.versions.roster:
            roster = load_roster(tx)
            # Its number is given again if the transaction that made it fails: keep none that may yet be undone.
            if tx.roster_committed and (tx.dialect != "sqlite" or roster.version >= self._roster.version):
                self._roster = roster
            return roster
        return self._roster


def load_roster(tx: Tx) -> Roster:
    """Read every person, group and agent."""
    persons = tx.execute(
        select(tables.persons.c["id", "email", "name", "active", "merged_into"])  # type: ignore[call-overload]
    ).all()
    memberships = tx.execute(
        select(tables.memberships.c.group_name, tables.memberships.c.person_id, tables.memberships.c.since)
    ).all()
    agents = tx.execute(
        select(
            tables.agents.c.id,
            tables.agents.c.name,
            tables.agents.c.owner_id,
            tables.agents.c.active,
            tables.agents.c.holder_id,
        )
    ).all()
    return Roster(
        version=tx.versions.roster,
        persons=[Person(p.id, p.email, p.name, bool(p.active), p.merged_into) for p in persons],
        memberships=[Membership(m.group_name, m.person_id, m.since) for m in memberships],
        agents=[Agent(a.id, a.name, a.owner_id, bool(a.active), a.holder_id) for a in agents],
    )


def load_delegations(tx: Tx, *, at_ms: int | None = None) -> tuple[Delegation, ...]:
    """All delegations, or those in force at a time."""
    query = select(tables.delegations).order_by(tables.delegations.c.id)
    if at_ms is not None:
        query = query.where(tables.delegations.c.starts_at <= at_ms, tables.delegations.c.ends_at > at_ms)
    rows = tx.execute(query).all()
    return tuple(Delegation(r.id, r.from_person, r.to_person, r.starts_at, r.ends_at) for r in rows)
