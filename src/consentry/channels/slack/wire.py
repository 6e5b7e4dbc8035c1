"""What Slack sends, as far as it is read. Everything that is named here must be there: a missing field is a refusal.

https://docs.slack.dev/reference/interaction-payloads
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,32}$")]
Short = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class User(_Part):
    """Whoever pressed. `team_id` differs from the callback's team for people of another organisation."""

    id: Id
    team_id: Id | None = None


class Team(_Part):
    id: Id


class Channel(_Part):
    id: Id


class MessageRef(_Part):
    ts: Annotated[str, StringConstraints(pattern=r"^[0-9]{1,20}\.[0-9]{1,20}$")]


class Button(_Part):
    action_id: Short
    value: Short | None = None


class Pressed(_Part):
    """`block_actions`: a button of a message."""

    type: Literal["block_actions"]
    user: User
    team: Team
    channel: Channel
    message: MessageRef
    trigger_id: Short
    actions: Annotated[list[Button], Field(min_length=1, max_length=1)]


class Typed(_Part):
    value: Annotated[str, StringConstraints(max_length=4000)] | None = None


class State(_Part):
    values: dict[str, dict[str, Typed]]


class View(_Part):
    callback_id: Short
    private_metadata: Short
    state: State


class Submitted(_Part):
    """`view_submission`: a confirmed dialog."""

    type: Literal["view_submission"]
    user: User
    team: Team
    view: View


class Command(_Part):
    """A slash command."""

    command: Short
    team_id: Id
    user_id: Id
    text: Annotated[str, StringConstraints(max_length=4000)] = ""
