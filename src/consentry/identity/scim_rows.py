"""Rows of what SCIM keeps. Functions of a `Tx`; nothing here needs the SCIM models."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from consentry.identity.rows import AnyRow
from consentry.identity.scim_errors import Managed, ScimUnknown
from consentry.store import Tx, tables

_U, _G = tables.scim_users.c, tables.scim_groups.c

CAUSE = "scim"
"""The cause of what SCIM has done, in the ledger."""


def is_managed(tx: Tx, group: str) -> bool:
    """Whether the identity provider names the members of this group."""
    return tx.execute(select(_G.id).where(_G.group_name == group)).first() is not None


def require_unmanaged(tx: Tx, group: str) -> None:
    """Raises `Managed` for a group that only the identity provider changes."""
    if is_managed(tx, group):
        raise Managed(f"the identity provider names who is in `{group}`: change it there")


def require_activated(tx: Tx, person: str) -> None:
    """Raises `Managed` for a person whom the identity provider has deactivated: enabling them here would undo that."""
    row = find_user(tx, person)
    if row is not None and (row.deleted_at is not None or not row.active):
        raise Managed("the identity provider has deactivated this person: activate them there")


def find_user(tx: Tx, user_id: str) -> AnyRow | None:
    """The row of a user, deleted ones too."""
    return tx.execute(select(tables.scim_users).where(_U.id == user_id)).one_or_none()


def load_user(tx: Tx, user_id: str) -> AnyRow:
    """Raises `ScimUnknown`."""
    row = find_user(tx, user_id)
    if row is None or row.deleted_at is not None:
        raise ScimUnknown("there is no such user")
    return row


def load_group(tx: Tx, group_id: str) -> AnyRow:
    """Raises `ScimUnknown`."""
    row = tx.execute(select(tables.scim_groups).where(_G.id == group_id)).one_or_none()
    if row is None:
        raise ScimUnknown("there is no such group")
    return row


def users_among(tx: Tx, ids: Sequence[str]) -> frozenset[str]:
    """Those of some ids that are users."""
    found: set[str] = set()
    for start in range(0, len(ids), 1_000):
        query = select(_U.id).where(_U.id.in_(ids[start : start + 1_000]), _U.deleted_at.is_(None))
        found.update(row.id for row in tx.execute(query))
    return frozenset(found)


def groups_of(tx: Tx, persons: list[str]) -> dict[str, list[AnyRow]]:
    """The SCIM groups that each of some persons is in."""
    members = tables.memberships.c
    query = (
        select(members.person_id, _G.id, _G.display_name)
        .join(tables.memberships, members.group_name == _G.group_name)
        .where(members.person_id.in_(persons))
        .order_by(_G.id)
    )
    found: dict[str, list[AnyRow]] = {}
    for row in tx.execute(query):
        found.setdefault(row.person_id, []).append(row)
    return found


def members_of(tx: Tx, group: str) -> list[AnyRow]:
    """The users in a group."""
    members = tables.memberships.c
    query = (
        select(_U.id)
        .join(tables.memberships, members.person_id == _U.id)
        .where(members.group_name == group, _U.deleted_at.is_(None))
        .order_by(_U.id)
    )
    return list(tx.execute(query).all())
