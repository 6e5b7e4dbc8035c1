"""Users by SCIM: made, changed, deactivated, deleted. Functions of a `Tx`; each change is recorded with it.

A user is a person. One whom somebody invited before is taken over only by the very address that they have: a spelling
that counts as the same (`a.b+c@`) may be another mailbox at the provider, and is refused (threat A5). Nothing here
binds an account that signs in: that takes a sign-in.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

import orjson
from scim2_models import Meta, Reference
from sqlalchemy import select, update

from consentry.actions import new_id
from consentry.errors import InvalidInput
from consentry.identity import groups, people, rows
from consentry.identity.rows import AnyRow
from consentry.identity.scim_errors import ScimConflict, ScimRefused
from consentry.identity.scim_models import Email, Group, GroupOfUser, Name, User
from consentry.identity.scim_rows import CAUSE, find_user, groups_of, load_user
from consentry.policy.emails import InvalidEmail, email_key, email_text
from consentry.policy.model import Person
from consentry.store import Tx, tables
from consentry.store.record import record

_U = tables.scim_users.c
LONGEST = 320


def fold(name: str) -> str:
    """The spelling of a user name that counts: RFC 7643 says that case does not."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def create(tx: Tx, user: User) -> str:
    """A user, and the person where there is none with their address. Answers the id. Raises `ScimConflict`."""
    tx.roster_changed()  # from here on nobody else makes or changes anybody
    if user.active is None:
        user = user.model_copy(update={"active": True})
    name = _user_name(user)
    _require_free(tx, name, None)
    address = _address(user)
    person = _taken_over(tx, address, name) if address is not None else None
    if person is None:
        person = people.arrive(tx, address or f"{new_id('scim')}@scim.invalid", _shown(user, address), CAUSE)
    _insert(tx, person.id, user, name)
    _set_active(tx, person, bool(user.active))
    return person.id


def save(tx: Tx, row: AnyRow, user: User) -> None:
    """Keep what a user has become. Raises `ScimConflict`, `ScimRefused`, `ScimUnknown`."""
    tx.roster_changed()
    name, person = _user_name(user), rows.canonical_person(tx, row.id)
    _require_free(tx, name, row.id)
    active = bool(row.active) if user.active is None else user.active  # what is left out brings nobody back
    attributes = _attributes(user)
    if (name, user.external_id, attributes, active) == (row.user_name, row.external_id, row.attributes, row.active):
        return
    if not _readdress(tx, person, user) and active == bool(row.active):
        record(tx, "person.changed", {"person": person.id, "channel": CAUSE})
    tx.execute(
        update(tables.scim_users)
        .where(_U.id == row.id)
        .values(
            user_name=name,
            user_name_key=fold(name),
            external_id=user.external_id,
            active=active,
            attributes=attributes,
            modified_at=tx.now_ms,
        )
    )
    if active != bool(row.active):
        _set_active(tx, person, active)


def delete(tx: Tx, user_id: str) -> None:
    """Disable the person for good, as far as the provider has the word, and take them out of its groups."""
    tx.roster_changed()
    row = load_user(tx, user_id)
    person = rows.canonical_person(tx, row.id)
    for group in groups_of(tx, [person.id]).get(person.id, ()):
        name = tx.execute(
            select(tables.scim_groups.c.group_name).where(tables.scim_groups.c.id == group.id)
        ).scalar_one()
        groups.leave(tx, None, str(name), person.id, cause=CAUSE)
    freed = {"user_name_key": f"deleted {row.id}", "active": False, "deleted_at": tx.now_ms, "modified_at": tx.now_ms}
    tx.execute(update(tables.scim_users).where(_U.id == row.id).values(**freed))
    record(
        tx,
        "person.unlinked",
        {"person": person.id, "channel": CAUSE},
        sealed={"identity": f"scim|{row.user_name}"},
    )
    _set_active(tx, person, False)


def read(tx: Tx, found: Sequence[AnyRow], base: str) -> list[User]:
    """Rows as users; a few statements, however many."""
    persons = rows.canonical_persons(tx, [row.id for row in found])
    memberships = groups_of(tx, [person.id for person in persons.values()])
    return [_user(row, persons[row.id], memberships.get(persons[row.id].id, ()), base) for row in found]


def meta(kind: str, row: AnyRow, base: str) -> Meta:
    """When and where, as RFC 7643 section 3.1 says it."""
    return Meta(
        resource_type=kind,
        created=datetime.fromtimestamp(row.created_at / 1000, UTC),
        last_modified=datetime.fromtimestamp(row.modified_at / 1000, UTC),
        location=f"{base}/{kind}s/{row.id}",
    )


def _user(row: AnyRow, person: Person, memberships: Sequence[AnyRow], base: str) -> User:
    kept = orjson.loads(row.attributes)
    return User(
        id=row.id,
        external_id=row.external_id,
        user_name=row.user_name,
        name=Name(**kept["name"]) if kept.get("name") else None,
        display_name=kept.get("display_name"),
        active=bool(row.active) and person.active if kept.get("says_active", True) else None,
        emails=[Email(**one) for one in kept.get("emails") or ()] or None,
        groups=[
            GroupOfUser(value=one.id, display=one.display_name, ref=Reference[Group](f"{base}/Groups/{one.id}"))
            for one in memberships
        ]
        or None,
        meta=meta("User", row, base),
    )


def _user_name(user: User) -> str:
    name = user.user_name or ""
    if not name.strip() or len(name) > LONGEST or not name.isprintable():
        raise ScimRefused(f"`userName` must have 1 to {LONGEST} printable characters")
    return name


def _require_free(tx: Tx, name: str, mine: str | None) -> None:
    taken = tx.execute(select(_U.id).where(_U.user_name_key == fold(name))).scalar_one_or_none()
    if taken is not None and taken != mine:
        raise ScimConflict("`userName` is that of another user")


def _address(user: User) -> str | None:
    """The primary address, else the first, else the user name where it is one. Raises `ScimRefused`."""
    given = [one for one in user.emails or () if one.value]
    chosen = next((one.value for one in given if one.primary), given[0].value if given else None)
    if chosen is not None:
        try:
            return email_text(chosen)
        except InvalidEmail as error:
            raise ScimRefused(f"`emails`: {error}") from None
    try:
        return email_text(user.user_name or "")
    except InvalidEmail:
        return None


def _shown(user: User, address: str | None) -> str:
    """The name that people read. Raises `ScimRefused` where it hides something (threat D6)."""
    name = user.name
    parts = " ".join(part for part in (name.given_name, name.family_name) if part) if name else ""
    text = user.display_name or (name.formatted if name else None) or parts or (address or user.user_name or "")
    text = " ".join(text.partition("@")[0].split() if text == address else text.split())
    if not text or len(text) > 200 or not text.isprintable():
        raise ScimRefused("`displayName` or `name` must have 1 to 200 printable characters")
    return text


def _taken_over(tx: Tx, address: str, name: str) -> Person | None:
    """The person with this address, for SCIM to have the word over from now on; `None` where there is nobody."""
    person = rows.find_person(tx, email_key(address))
    if person is None:
        return None
    row = find_user(tx, person.id)
    if row is not None and row.deleted_at is None:
        raise ScimConflict("there is a user with this e-mail address, or one that counts as the same")
    if email_text(person.email) != address:
        raise ScimConflict("the e-mail address counts as that of another person here: see docs/scim.md")
    if row is None and not person.active:
        raise ScimConflict("the person with this e-mail address was disabled here: enable them first")
    record(tx, "person.linked", {"person": person.id, "channel": CAUSE}, sealed={"identity": f"scim|{name}"})
    return person


def _insert(tx: Tx, person: str, user: User, name: str) -> None:
    values = {
        "user_name": name,
        "user_name_key": fold(name),
        "external_id": user.external_id,
        "active": user.active is not False,
        "attributes": _attributes(user),
        "created_at": tx.now_ms,
        "modified_at": tx.now_ms,
        "deleted_at": None,
    }
    if find_user(tx, person) is None:
        tx.execute(tables.scim_users.insert().values(id=person, **values))
    else:
        tx.execute(update(tables.scim_users).where(_U.id == person).values(**values))


def _attributes(user: User) -> str:
    kept = user.model_dump(scim_ctx=None, include={"name", "display_name", "emails"}, exclude_none=True)
    if user.active is None:
        kept["says_active"] = False
    if len(text := orjson.dumps(kept)) > 65_536:
        raise ScimRefused("the user's names and addresses are longer than anybody's")
    return text.decode()


def _readdress(tx: Tx, person: Person, user: User) -> bool:
    """Let the person's address and name follow the user's, and say whether they did. Raises `ScimConflict`."""
    own = _address(user)
    address, shown = own or person.email, _shown(user, own)
    if (address, shown) == (person.email, person.name):
        return False
    other = rows.find_person(tx, email_key(address))
    if other is not None and other.id != person.id:
        raise ScimConflict("there is a person with this e-mail address, or one that counts as the same")
    try:
        people.readdress(tx, person, address, shown, CAUSE)
    except InvalidInput as error:
        raise ScimRefused(str(error)) from None
    return True


def _set_active(tx: Tx, person: Person, active: bool) -> None:
    """Their sessions end with them; coming back, their memberships count from now on (threat A12)."""
    if person.active and not active:
        people.put_out(tx, None, person.id, cause=CAUSE)
    if active and not person.active:
        people.bring_back(tx, None, person.id, cause=CAUSE)
