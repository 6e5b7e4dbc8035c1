"""What Teams sends, as far as it is read. Everything that is named here must be there: a missing field is a refusal.

https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-api-reference
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

Short = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Guid = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"),
    AfterValidator(str.lower),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Account(_Part):
    id: Short


class Somebody(_Part):
    """Who acts. Their id in Entra ID never changes; `id` is Teams' own for this bot."""

    id: Short
    aad: Guid = Field(alias="aadObjectId")


class Tenant(_Part):
    id: Guid


class Conversation(_Part):
    id: Short
    kind: Short | None = Field(default=None, alias="conversationType")
    tenant: Guid | None = Field(default=None, alias="tenantId")


class ChannelData(_Part):
    tenant: Tenant


class Activity(_Part):
    """What every activity that is read has."""

    type: Short
    id: Short
    channel: Literal["msteams"] = Field(alias="channelId")
    service_url: Short = Field(alias="serviceUrl")
    recipient: Account
    conversation: Conversation
    data: ChannelData = Field(alias="channelData")

    @property
    def tenants(self) -> set[str]:
        """Every tenant that the activity names."""
        named = self.conversation.tenant
        return {self.data.tenant.id} | ({named} if named is not None else set())


class Execute(_Part):
    type: Literal["Action.Execute"]
    verb: Short
    data: dict[str, object] = {}


class Pressed(_Part):
    action: Execute


class Invoke(Activity):
    """`adaptiveCard/action`: a button of a card, or a card that looks for news. `message` is where the card stands."""

    type: Literal["invoke"]
    name: Literal["adaptiveCard/action"]
    who: Somebody = Field(alias="from")
    message: Short = Field(alias="replyToId")
    value: Pressed


class Message(Activity):
    """Something that somebody wrote to the bot."""

    type: Literal["message"]
    who: Somebody = Field(alias="from")
    text: Annotated[str, StringConstraints(max_length=4000)] = ""


class Update(Activity):
    """Members came or went; the bot itself among them when it is installed or taken out."""

    type: Literal["conversationUpdate"]
    who: Somebody | Account | None = Field(default=None, alias="from")
    added: list[Account] = Field(default=[], alias="membersAdded")
    removed: list[Account] = Field(default=[], alias="membersRemoved")
