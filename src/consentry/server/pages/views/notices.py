"""What a person must hear of themselves, in words. Pure."""

from __future__ import annotations

from consentry.identity.notices import Notice, NoticeKind
from consentry.policy.model import Roster
from consentry.server.pages.views import names
from consentry.server.pages.views.shell import Told

CHATS = {"slack": "Slack", "teams": "Microsoft Teams"}
"""The kinds of identities that people decide with in chat; their person takes one away by one press."""


def told(one: Notice, roster: Roster) -> Told:
    """A notice as a page shows it. Where somebody else had a hand in it, it says who."""
    by = "" if one.by is None else f", by {names.person(one.by, roster).name} or by a link that they made"
    if one.kind is NoticeKind.PASSKEY_ENDED:
        text = (
            f"Your passkey “{one.label}” counts no more: it was registered in a session that you may not have opened"
            f" yourself{by}. Register it again if it is yours."
        )
        return Told(one.id, text, None)
    kind, _, account = one.label.partition(" ")
    where = CHATS.get(kind, "a provider")
    if one.kind is NoticeKind.UNLINKED:
        text = f"The account {account} at {where} is yours no more: it was linked in a session of another{by}."
        return Told(one.id, f"{text} Link it again if it is yours.", None)
    text = f"The account {account} at {where} was linked to you{by}. Whoever has it speaks for you."
    way_out = "" if kind in CHATS else " If it is not yours, ask an administrator to take it away."
    return Told(one.id, text + way_out, f"/identities/{one.about}/unlink" if kind in CHATS else None)
