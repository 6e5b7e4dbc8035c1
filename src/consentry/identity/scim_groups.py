"""Groups by SCIM. A membership counts since the change that brought it (threat A12). Functions of a `Tx`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from scim2_models import Reference
from sqlalchemy import select, update

from consentry.actions import new_id
from consentry.identity import groups, rows
from consentry.identity.model import ADMINISTRATORS, AUDITORS
from consentry.identity.rows import AnyRow
from consentry.identity.scim_errors import ScimConflict, ScimRefused
from consentry.identity.scim_models import Group, Member, User
from consentry.identity.scim_rows import CAUSE, load_group, members_of, users_among
from consentry.identity.scim_users import meta
from consentry.store import Tx, tables
from consentry.store.record import record

_G, _M = tables.scim_groups.c, tables.memberships.c
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
RESERVED = frozenset({ADMINISTRATORS, AUDITORS})
"""Groups that give power over Consentry itself: whoever holds the SCIM token must not name their members."""


def slug(display_name: str) -> str:
    """The name of a group in policies: `Data Stewards` is `data-stewards`. Raises `ScimRefused`."""
    folded = unicodedata.normalize("NFKC", display_name).casefold()
    name = re.sub(r"[^a-z0-9_.-]+", "-", folded).strip("-_.")
    if not _NAME.fullmatch(name) or len(display_name) > 256 or not display_name.isprintable():
        raise ScimRefused("`displayName` must have letters or digits of ASCII, and make a name of at most 64 of them")
    if name in RESERVED:
        raise ScimRefused(f"`{name}` is not the identity provider's to fill: see docs/scim.md")
    return name


def slug_or_none(display_name: str) -> str | None:
    """`slug`, or `None` for what no group can be called."""
    try:
        return slug(display_name)
    except ScimRefused:
        return None


def create(tx: Tx, group: Group) -> str:
    """A group and its members. Answers the id. Raises `ScimConflict`, `ScimRefused`."""
    tx.roster_changed()
    name = slug(group.display_name or "")
    _require_free(tx, name)
    group_id = new_id("grp")
    tx.execute(
        tables.scim_groups.insert().values(
            id=group_id,
            group_name=name,
            display_name=group.display_name,
            external_id=group.external_id,
            created_at=tx.now_ms,
            modified_at=tx.now_ms,
        )
    )
    record(tx, "group.managed", {"group": name, "cause": CAUSE})
    _fill(tx, name, _wanted(tx, group))
    return group_id


def save(tx: Tx, row: AnyRow, group: Group) -> None:
    """Keep what a group has become. Under another name it is another group to policies, and counts from now on."""
    tx.roster_changed()
    name, wanted = slug(group.display_name or ""), _wanted(tx, group)
    if name != row.group_name:
        _require_free(tx, name)
        _fill(tx, row.group_name, frozenset())
        record(tx, "group.released", {"group": row.group_name, "cause": CAUSE})
        record(tx, "group.managed", {"group": name, "cause": CAUSE})
    tx.execute(
        update(tables.scim_groups)
        .where(_G.id == row.id)
        .values(group_name=name, display_name=group.display_name, external_id=group.external_id, modified_at=tx.now_ms)
    )
    _fill(tx, name, wanted)


def delete(tx: Tx, group_id: str) -> None:
    """Take everybody out of a group and give it up."""
    tx.roster_changed()
    row = load_group(tx, group_id)
    _fill(tx, row.group_name, frozenset())
    tx.execute(tables.scim_groups.delete().where(_G.id == row.id))
    record(tx, "group.released", {"group": row.group_name, "cause": CAUSE})


def read(tx: Tx, row: AnyRow, base: str) -> Group:
    """A row as a group, with the users in it."""
    members = [
        Member(value=one.id, type="User", ref=Reference[User](f"{base}/Users/{one.id}"))
        for one in members_of(tx, row.group_name)
    ]
    return Group(
        id=row.id,
        external_id=row.external_id,
        display_name=row.display_name,
        members=members or None,
        meta=meta("Group", row, base),
    )


def _require_free(tx: Tx, name: str) -> None:
    if tx.execute(select(_G.id).where(_G.group_name == name)).first() is not None:
        raise ScimConflict(f"there is a group that is called `{name}` in policies already")
    if tx.execute(select(_M.person_id).where(_M.group_name == name).limit(1)).first() is not None:
        raise ScimConflict(f"`{name}` has members that were put there in Consentry: take them out first")


def _wanted(tx: Tx, group: Group) -> frozenset[str]:
    """The persons that a group is to have. Raises `ScimRefused`."""
    named = {member.value or "" for member in group.members or ()}
    if any(member.type not in (None, "User") for member in group.members or ()) or "" in named:
        raise ScimRefused("`members` must be users, by their id: groups in groups are not kept")
    if named - users_among(tx, sorted(named)):
        raise ScimRefused("`members` names a user that does not exist")
    return frozenset(person.id for person in rows.canonical_persons(tx, sorted(named)).values())


def _fill(tx: Tx, name: str, wanted: Collection[str]) -> None:
    """Make the members those who are wanted; whoever was one stays one since then."""
    held = {str(one) for one in tx.execute(select(_M.person_id).where(_M.group_name == name)).scalars()}
    for person in sorted(held - set(wanted)):
        groups.leave(tx, None, name, person, cause=CAUSE)
    for person in sorted(set(wanted) - held):
        groups.join(tx, None, name, person, cause=CAUSE)


__all__ = ["Group", "User", "create", "delete", "read", "save", "slug"]
