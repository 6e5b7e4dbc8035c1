"""Groups: who is in which, since when. A membership counts only for requests that are younger than it (threat A12)."""

from __future__ import annotations

import re

from consentry.errors import InvalidInput
from consentry.identity import rows
from consentry.identity.errors import LastAdministrator, UnknownGroup
from consentry.identity.model import ADMINISTRATORS
from consentry.identity.scim_rows import require_unmanaged
from consentry.store import Tx, tables
from consentry.store.record import record

_GROUP = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_M = tables.memberships.c


def add(tx: Tx, by: str | None, group: str, person_id: str) -> None:
    """Put a person into a group. Who was in it stays in it since then."""
    tx.roster_changed()
    rows.require_administrator(tx, by)
    require_unmanaged(tx, group)
    join(tx, by, group, rows.canonical_person(tx, person_id).id)


def join(tx: Tx, by: str | None, group: str, person_id: str, *, cause: str | None = None) -> None:
    """`add` without its checks, for changes that have made them."""
    if not _GROUP.fullmatch(group):
        raise InvalidInput("`group` must be lower case letters, digits, `_`, `.` or `-`, at most 64")
    tx.roster_changed()
    if rows.is_member(tx, group, person_id):
        return
    tx.execute(tables.memberships.insert().values(group_name=group, person_id=person_id, since=tx.now_ms))
    record(tx, "group.added", {"group": group, "person": person_id, "by": by, "cause": cause})


def remove(tx: Tx, by: str | None, group: str, person_id: str) -> None:
    """Take a person out of a group; their votes for it fall away at the claim. Raises `LastAdministrator`."""
    tx.roster_changed()
    rows.require_administrator(tx, by)
    require_unmanaged(tx, group)
    person = rows.canonical_person(tx, person_id)
    if not rows.is_member(tx, group, person.id):
        raise UnknownGroup("this person is not in this group")
    leave(tx, by, group, person.id)
    if group == ADMINISTRATORS and rows.count_administrators(tx) == 0:
        raise LastAdministrator(f"nobody would be left in `{ADMINISTRATORS}`: add somebody else to it first")


def leave(tx: Tx, by: str | None, group: str, person_id: str, *, cause: str | None = None) -> None:
    """`remove` without its checks, for changes that have made them."""
    tx.roster_changed()
    tx.execute(tables.memberships.delete().where(_M.group_name == group, _M.person_id == person_id))
    record(tx, "group.removed", {"group": group, "person": person_id, "by": by, "cause": cause})
