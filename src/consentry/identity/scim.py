"""The SCIM 2.0 service of one store (RFC 7644): what a provider may do to users and groups, each in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from scim2_models import PatchOp, ScimFilter
from scim2_models.path import AttrPath, CompareOperator, Comparison
from sqlalchemy import Select, func, select

from consentry.identity import scim_groups, scim_users
from consentry.identity.rows import AnyRow
from consentry.identity.scim_errors import ScimTooMany
from consentry.identity.scim_models import MOST_RESULTS, POLICY, Group, User
from consentry.identity.scim_rows import load_group, load_user
from consentry.store import Store, Tx, tables

_U, _G = tables.scim_users.c, tables.scim_groups.c
R = TypeVar("R", User, Group)

MOST_SCANNED = 2_000
"""How many resources a filter may read through; those by name are looked up, however many there are."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """Some of what was found; `start` counts from 1."""

    total: int
    start: int
    items: tuple[R, ...]


class Scim:
    """Users and groups for a provider. `base` is the address of the service, which stands in what it answers."""

    def __init__(self, store: Store, base: str) -> None:
        self._store = store
        self._base = base

    # Users.

    async def create_user(self, user: User) -> User:
        """Raises `ScimConflict`, `ScimRefused`."""
        return await self._write(lambda tx: self._user(tx, load_user(tx, scim_users.create(tx, user))))

    async def user(self, user_id: str) -> User:
        """Raises `ScimUnknown`."""
        return await self._store.read(lambda tx: self._user(tx, load_user(tx, user_id)))

    async def replace_user(self, user_id: str, user: User) -> User:
        """Raises `ScimConflict`, `ScimRefused`, `ScimUnknown`."""
        return await self._change_user(user_id, lambda _before: user)

    async def patch_user(self, user_id: str, patch: PatchOp[User]) -> User:
        """Raises what `replace_user` raises, and the library's `SCIMException`."""
        return await self._change_user(user_id, lambda before: _patched(before, patch))

    async def delete_user(self, user_id: str) -> None:
        """Raises `ScimUnknown`."""
        await self._write(lambda tx: scim_users.delete(tx, user_id))

    async def users(self, wanted: ScimFilter[User] | None, start: int, count: int) -> Page[User]:
        """Users in the order of their making, as many as a page may have."""
        query = select(tables.scim_users).where(_U.deleted_at.is_(None)).order_by(_U.created_at, _U.id)
        exact = {"username": _U.user_name_key, "externalid": _U.external_id, "id": _U.id}
        if wanted is not None and (found := _equality(wanted)) is not None and found[0] in exact:
            name, value = found
            query = query.where(exact[name] == (scim_users.fold(value) if name == "username" else value))

        def read(tx: Tx, rows: Sequence[AnyRow]) -> list[User]:
            return scim_users.read(tx, rows, self._base)

        return await self._store.read(lambda tx: _page(tx, query, read, wanted, start, count))

    # Groups.

    async def create_group(self, group: Group) -> Group:
        """Raises `ScimConflict`, `ScimRefused`."""
        return await self._write(
            lambda tx: scim_groups.read(tx, load_group(tx, scim_groups.create(tx, group)), self._base)
        )

    async def group(self, group_id: str) -> Group:
        """Raises `ScimUnknown`."""
        return await self._store.read(lambda tx: scim_groups.read(tx, load_group(tx, group_id), self._base))

    async def replace_group(self, group_id: str, group: Group) -> Group:
        """Raises `ScimConflict`, `ScimRefused`, `ScimUnknown`."""
        return await self._change_group(group_id, lambda _before: group)

    async def patch_group(self, group_id: str, patch: PatchOp[Group]) -> Group:
        """Raises what `replace_group` raises, and the library's `SCIMException`."""
        return await self._change_group(group_id, lambda before: _patched(before, patch))

    async def delete_group(self, group_id: str) -> None:
        """Raises `ScimUnknown`."""
        await self._write(lambda tx: scim_groups.delete(tx, group_id))

    async def groups(self, wanted: ScimFilter[Group] | None, start: int, count: int) -> Page[Group]:
        """Groups in the order of their making, as many as a page may have."""
        query = select(tables.scim_groups).order_by(_G.created_at, _G.id)
        if wanted is not None and (found := _equality(wanted)) is not None and found[0] == "displayname":
            query = query.where(_G.group_name == scim_groups.slug_or_none(found[1]))

        def read(tx: Tx, rows: Sequence[AnyRow]) -> list[Group]:
            return [scim_groups.read(tx, row, self._base) for row in rows]

        return await self._store.read(lambda tx: _page(tx, query, read, wanted, start, count))

    # Inside.

    def _user(self, tx: Tx, row: AnyRow) -> User:
        return scim_users.read(tx, [row], self._base)[0]

    async def _change_user(self, user_id: str, change: Callable[[User], User]) -> User:
        def run(tx: Tx) -> User:
            tx.roster_changed()  # two changes of one user do not overlap
            row = load_user(tx, user_id)
            scim_users.save(tx, row, change(self._user(tx, row)))
            return self._user(tx, load_user(tx, user_id))

        return await self._write(run)

    async def _change_group(self, group_id: str, change: Callable[[Group], Group]) -> Group:
        def run(tx: Tx) -> Group:
            tx.roster_changed()
            row = load_group(tx, group_id)
            scim_groups.save(tx, row, change(scim_groups.read(tx, row, self._base)))
            return scim_groups.read(tx, load_group(tx, group_id), self._base)

        return await self._write(run)

    async def _write(self, operation: Callable[[Tx], T]) -> T:
        return await self._store.write(operation)


def _patched(before: R, patch: PatchOp[R]) -> R:
    patch.patch(before, POLICY)  # which was read for this, and is nobody else's
    return before


def _equality(wanted: ScimFilter[User] | ScimFilter[Group]) -> tuple[str, str] | None:
    """The attribute and text of a filter that is one comparison for equality: what providers ask before each change."""
    ast = wanted.ast
    if not isinstance(ast, Comparison) or ast.op is not CompareOperator.eq or not isinstance(ast.value, str):
        return None
    path = ast.attr_path
    return (path.attr.casefold(), ast.value) if isinstance(path, AttrPath) and path.sub_attr is None else None


def _page(
    tx: Tx,
    query: Select[tuple[object, ...]],
    read: Callable[[Tx, Sequence[AnyRow]], list[R]],
    wanted: ScimFilter[R] | None,
    start: int,
    count: int,
) -> Page[R]:
    size = min(count, MOST_RESULTS)
    if wanted is None:
        total: int = tx.execute(select(func.count()).select_from(query.subquery())).scalar_one()  # type: ignore[assignment]
        rows = tx.execute(query.offset(start - 1).limit(size)).all()
        return Page(total, start, tuple(read(tx, rows)))
    rows = tx.execute(query.limit(MOST_SCANNED + 1)).all()
    if len(rows) > MOST_SCANNED:
        raise ScimTooMany("too many to read through: ask by `userName`, `externalId`, `id` or a group's `displayName`")
    found = [one for one in read(tx, rows) if wanted.match(one)]
    return Page(len(found), start, tuple(found[start - 1 : start - 1 + size]))
