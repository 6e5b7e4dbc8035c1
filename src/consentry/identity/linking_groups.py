"""Groups that a provider's claim gives: joined and left with each sign-in. Functions of a `Tx`.

A membership counts since the sign-in that brought it, so a group that somebody gives themselves at the provider decides
nothing that was asked before (threat A12). Memberships that somebody made here are not touched.
"""

from __future__ import annotations

from sqlalchemy import delete, select

from consentry.identity import groups, rows
from consentry.identity.oidc_claims import Asserted
from consentry.identity.scim_rows import is_managed
from consentry.store import Tx, tables

_P = tables.provided_memberships.c


def follow_groups(tx: Tx, who: Asserted, person: str) -> None:
    """Let the person be in what the provider says, as far as memberships are the provider's."""
    if who.groups is None:
        return
    source = who.provider.source
    if _provided(tx, source, person) == who.groups and all(rows.is_member(tx, one, person) for one in who.groups):
        return
    tx.roster_changed()  # from here on nobody else changes memberships
    provided = _provided(tx, source, person)
    for group in sorted(provided - who.groups):
        _leave(tx, source, group, person)
    for group in sorted(who.groups):
        _enter(tx, source, group, person, known=group in provided)


def _provided(tx: Tx, source: str, person: str) -> frozenset[str]:
    mine = select(_P.group_name).where(_P.source == source, _P.person_id == person)
    return frozenset(row.group_name for row in tx.execute(mine))


def _enter(tx: Tx, source: str, group: str, person: str, *, known: bool) -> None:
    if rows.is_member(tx, group, person) or is_managed(tx, group):
        return
    groups.join(tx, None, group, person, cause=source)
    if not known:  # else somebody took the person out here, and the provider puts them back
        tx.execute(tables.provided_memberships.insert().values(source=source, person_id=person, group_name=group))


def _leave(tx: Tx, source: str, group: str, person: str) -> None:
    """The last administrator, too: whom the provider has put out must not administer. See docs/sign-in.md."""
    tx.execute(
        delete(tables.provided_memberships).where(_P.source == source, _P.person_id == person, _P.group_name == group)
    )
    others = select(_P.source).where(_P.person_id == person, _P.group_name == group)
    if is_managed(tx, group):
        return
    if rows.is_member(tx, group, person) and tx.execute(others.limit(1)).first() is None:
        groups.leave(tx, None, group, person, cause=source)
