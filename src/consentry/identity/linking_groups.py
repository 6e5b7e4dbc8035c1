"""Groups that a provider's claim gives: joined and left with each sign-in. Functions of a `Tx`.

A membership counts since the sign-in that brought it, so a group that somebody gives themselves at the provider decides
nothing that was asked before (threat A12). Memberships that somebody made here are not touched.
"""

from __future__ import annotations

from sqlalchemy import Delete, delete, select

from consentry.identity import groups, rows
from consentry.identity.oidc_claims import Asserted
from consentry.identity.scim_rows import is_managed
from consentry.store import Tx, tables

_P, _M = tables.provided_memberships.c, tables.memberships.c


def follow_groups(tx: Tx, who: Asserted, person: str) -> None:
    """Let the person be in what the provider says, as far as memberships are the provider's."""
    if who.groups is None or not any(_changes(tx, who.provider.source, who.groups, person)):
        return
    tx.roster_changed()  # from here on nobody else changes memberships
    source = who.provider.source
    leave, enter = _changes(tx, source, who.groups, person)
    for group in sorted(leave):
        _leave(tx, source, group, person)
    for group in sorted(enter):
        _enter(tx, source, group, person)


def _changes(tx: Tx, source: str, wanted: frozenset[str], person: str) -> tuple[frozenset[str], frozenset[str]]:
    """Which groups to leave and to enter. What somebody did by hand is left alone, and so is what SCIM has a say in."""
    found = tx.execute(select(_P.source, _P.group_name).where(_P.person_id == person)).all()
    mine = frozenset(row.group_name for row in found if row.source == source)
    provided = frozenset(row.group_name for row in found)
    held = {row.group_name for row in tx.execute(select(_M.group_name).where(_M.person_id == person))}
    enter = (one for one in wanted if one not in held or (one not in mine and one in provided))
    return mine - wanted, frozenset(one for one in enter if not is_managed(tx, one))


def _enter(tx: Tx, source: str, group: str, person: str) -> None:
    groups.join(tx, None, group, person, cause=source)  # since now; not where another provider has done so
    tx.execute(_row(source, group, person))
    tx.execute(tables.provided_memberships.insert().values(source=source, person_id=person, group_name=group))


def _leave(tx: Tx, source: str, group: str, person: str) -> None:
    """The last administrator, too: whom the provider has put out must not administer. See docs/sign-in.md."""
    tx.execute(_row(source, group, person))
    others = select(_P.source).where(_P.person_id == person, _P.group_name == group)
    if is_managed(tx, group):
        return
    if rows.is_member(tx, group, person) and tx.execute(others.limit(1)).first() is None:
        groups.leave(tx, None, group, person, cause=source)


def _row(source: str, group: str, person: str) -> Delete:
    """Forget what this source says of this membership."""
    return delete(tables.provided_memberships).where(
        _P.source == source, _P.person_id == person, _P.group_name == group
    )
