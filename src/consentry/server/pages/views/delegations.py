"""Who votes for whom while away. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from consentry.consent.model import Delegation
from consentry.policy.model import Roster
from consentry.server.pages.forms import InvalidForm
from consentry.server.pages.states import Look
from consentry.server.pages.views.names import Party, person


@dataclass(frozen=True, slots=True)
class DelegationRow:
    """One dated record."""

    id: str
    away: Party
    stands_in: Party
    starts_at_ms: int
    ends_at_ms: int
    state: Look
    over: bool


def rows(found: Iterable[Delegation], roster: Roster, me: str, now_ms: int, *, admin: bool) -> list[DelegationRow]:
    """Those that concern the person, the newest first; an administrator sees all."""
    one = roster.canonical(me)
    shown = []
    for each in found:
        sides = {roster.canonical(each.from_person), roster.canonical(each.to_person)}
        if admin or one in sides:
            shown.append(_row(each, roster, now_ms))
    return sorted(shown, key=lambda row: -row.starts_at_ms)


def _row(each: Delegation, roster: Roster, now_ms: int) -> DelegationRow:
    over = each.ends_at_ms <= now_ms
    if over:
        state = Look("Over", "idle")
    else:
        state = Look("In force", "good") if each.starts_at_ms <= now_ms else Look("To come", "wait")
    return DelegationRow(
        id=each.id,
        away=person(each.from_person, roster),
        stands_in=person(each.to_person, roster),
        starts_at_ms=each.starts_at_ms,
        ends_at_ms=each.ends_at_ms,
        state=state,
        over=over,
    )


def parse_time(text: str, name: str) -> int:
    """A `datetime-local` of a form, in UTC, in milliseconds. Raises `InvalidForm`."""
    try:
        return int(datetime.strptime(text, "%Y-%m-%dT%H:%M").replace(tzinfo=UTC).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise InvalidForm(f"`{name}` must be a time like `2026-01-31T09:00`, in UTC") from None


def format_time(ms: int) -> str:
    """For a `datetime-local` field."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M}"
