"""Passkeys: what a browser is asked, what it answers, and what there is."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from consentry.consent.errors import PasskeyRejected
from consentry.consent.model import BallotVerdict, Signed
from consentry.identity.passkey import Credential, Passkey
from consentry.ledger.passkey import MAX_BYTES, Assertion, AssertionInvalid, decode
from consentry.server.views.base import Body, JsonMap, Sha256, Storable, Time, View, Words, time_or_none, time_text

Base64Url = Annotated[str, Field(min_length=1, max_length=MAX_BYTES, pattern=r"^[A-Za-z0-9_-]+$")]
"""Bytes as base64url without padding."""


class AssertionBody(Body):
    """What `navigator.credentials.get` answered."""

    credential_id: Base64Url
    authenticator_data: Base64Url
    client_data_json: Base64Url
    signature: Base64Url

    def signed(self) -> Signed:
        """As the gate takes it. Raises `AssertionInvalid`."""
        assertion = Assertion(decode(self.authenticator_data), decode(self.client_data_json), decode(self.signature))
        return Signed(decode(self.credential_id), assertion)


class ConfirmedBody(Body):
    """A change to the caller's passkeys, signed with one that they have."""

    assertion: AssertionBody | None = None

    def signed(self) -> Signed | None:
        """The signature as the gate takes it. Raises `PasskeyRejected`."""
        return signed_or_none(self.assertion)


class RemovalBody(ConfirmedBody):
    """Why a passkey is removed; may be left out."""

    reason: Words | None = None


def signed_or_none(assertion: AssertionBody | None) -> Signed | None:
    """Raises `PasskeyRejected` for what is not an answer of a passkey."""
    try:
        return None if assertion is None else assertion.signed()
    except AssertionInvalid as error:
        raise PasskeyRejected(str(error)) from None


class ChallengeBody(Body):
    """The vote that a passkey is to sign."""

    verdict: Annotated[BallotVerdict, Field(strict=False)]
    shown_digest: Sha256


class OptionsView(View):
    """What a page on `origin` hands to `navigator.credentials`; binary members are base64url."""

    public_key: JsonMap
    origin: str


class CredentialBody(Body):
    """What `navigator.credentials.create` answered."""

    id: Base64Url
    client_data_json: Base64Url
    attestation_object: Annotated[str, Field(min_length=1, max_length=65_536, pattern=r"^[A-Za-z0-9_-]+$")]
    transports: Annotated[list[Annotated[str, Field(max_length=32)]], Field(max_length=10)] = Field(
        default_factory=list
    )

    def credential(self) -> Credential:
        return Credential(self.id, self.client_data_json, self.attestation_object, tuple(self.transports))


class PasskeyBody(Body):
    """A new passkey and what its person calls it."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["Blue key"]), Storable]
    credential: CredentialBody


class PasskeyView(View):
    """One passkey. `synced` says that it may live on several devices of its person."""

    id: str
    person: str
    name: str
    relying_party: str
    synced: bool
    created_at: Time
    used_at: Time | None

    @classmethod
    def of(cls, one: Passkey) -> Self:
        return cls(
            id=one.id,
            person=one.person,
            name=one.name,
            relying_party=one.rp,
            synced=one.synced,
            created_at=time_text(one.created_at_ms),
            used_at=time_or_none(one.used_at_ms),
        )


class PasskeysPage(View):
    items: list[PasskeyView]


class StepUpView(View):
    """An approval of this stage is signed with a passkey: how many of the caller's may, or why none may."""

    usable: int
    text: str | None
