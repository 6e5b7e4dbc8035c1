"""What stands around every page: who is signed in, where they are, what waits for them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from consentry.server.pages.views.names import Party


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the navigation."""

    key: str
    label: str
    url: str
    icon: str
    count: int = 0
    hot: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """Something that a person must hear of themselves. `undo` is where one press takes it back."""

    id: str
    text: str
    undo: str | None


@dataclass(frozen=True, slots=True)
class Shell:
    """The frame of a page. `now_ms` is the server's clock, by which the browser counts down."""

    me: Party
    groups: tuple[tuple[str, tuple[Place, ...]], ...]
    here: str
    now_ms: int
    admin: bool
    notices: tuple[Told, ...] = ()


def build(
    me: Party,
    here: str,
    *,
    now_ms: int,
    waiting: int,
    reviews: int,
    admin: bool,
    auditor: bool,
    notices: tuple[Told, ...] = (),
) -> Shell:
    """The navigation for this person; places that they may not enter are left out."""
    decide = (
        Place("inbox", "Inbox", "/", "inbox", waiting, hot=True),
        Place("history", "History", "/history", "history"),
        Place("load", "How reviews go", "/load", "clock"),
        Place("reviews", "Post-reviews", "/reviews", "glass", reviews, hot=True),
    )
    rights = (
        Place("grants", "Grants", "/grants", "key"),
        Place("delegations", "Out of office", "/delegations", "away"),
        Place("passkeys", "Passkeys", "/passkeys", "lock"),
        Place("identities", "How you sign in", "/identities", "person"),
    )
    record = [Place("ledger", "Ledger", "/ledger", "chain")] if admin or auditor else []
    setup = [Place("policies", "Policies", "/policies", "policy")]
    if admin:
        setup.append(Place("people", "People and agents", "/people", "people"))
    groups = [("Decide", decide), ("Rights", rights), ("System", (*setup, *record))]
    return Shell(me, tuple(groups), here, now_ms, admin, notices)
