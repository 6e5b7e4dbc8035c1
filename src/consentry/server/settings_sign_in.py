"""Settings of sign-in by providers and of workload identity. How they are used is in docs/sign-in.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, Field, model_validator

from consentry.server.secrets import SecretRef
from consentry.server.settings_section import Duration, Section


def _https(url: str | None) -> str | None:
    if url is not None and not url.startswith(("https://", "http://")):
        raise ValueError("must begin with `https://`")
    return url


Address = Annotated[str, AfterValidator(_https)]
GroupName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]


class OidcSettings(Section):
    """One OpenID provider at which people sign in."""

    issuer: Address
    """The provider's issuer address, exactly as it writes it itself."""
    client_id: Annotated[str, Field(min_length=1)]
    """What the provider calls this server."""
    client_secret: SecretRef | None = None
    """The client's secret, by reference: `env:NAME`. Without it, the client is a public one."""
    label: str = ""
    """What its button says; else the name."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    """What the provider is asked for; `openid` is always among it."""
    domains: tuple[str, ...] = ()
    """E-mail domains for which this provider has the last word: an address in them recognises who was invited by it."""
    email_verified: Literal["required", "trusted"] = "required"
    """`trusted` takes an address of which the provider does not say whether it is verified, as Entra ID does."""
    invite_only: bool = True
    """Whether only invited people get in; else everybody whose address is in `domains`."""
    claims: dict[str, str] = {}
    """What claims of the ID token must be, such as `hd = "example.com"`; `*` within a part, `**` anything."""
    groups_claim: str | None = None
    """The claim that lists groups. Without it, the provider has no say about groups."""
    groups: dict[str, GroupName] = {}
    """Which value of that claim is which group here."""
    groups_prefix: str | None = None
    """Values that begin so are the group of the rest of their name."""
    userinfo: bool = False
    """Whether claims are also asked of the userinfo endpoint, for providers whose ID tokens lack them."""
    logout: bool = False
    """Whether signing out here signs out at the provider, too."""
    exchange_audiences: tuple[str, ...] = ()
    """Clients whose ID tokens of this provider are taken as `subject_token` of an exchange."""
    skew: Duration = Field(default="60s")  # type: ignore[assignment]
    """How far the provider's clock may be from ours."""

    @model_validator(mode="after")
    def _whole(self) -> OidcSettings:
        if "openid" not in self.scopes:
            raise ValueError("`scopes` needs `openid`")
        if not self.invite_only and not self.domains:
            raise ValueError("`invite_only = false` needs `domains`: whose addresses the provider may speak for")
        if self.groups_claim is None and (self.groups or self.groups_prefix):
            raise ValueError("`groups` and `groups_prefix` need `groups_claim`")
        return self


class WorkloadSettings(Section):
    """Which tokens of a platform are which agent."""

    issuer: Address | None = None
    """Who signs the tokens, exactly as it stands in `iss`."""
    trust_domain: str | None = None
    """For SPIFFE JWT-SVIDs without an issuer: the trust domain of their `sub`. Needs `keys`."""
    keys: Path | None = None
    """A file with the issuer's JWK set, where it is not found by discovery."""
    audience: Annotated[str, Field(min_length=1)]
    """What the tokens' `aud` must name."""
    claims: dict[str, str]
    """What claims must be, at least one: exact, or with `*` within a part (up to `/` or `:`) and `**` for anything."""
    agent: Annotated[str, Field(min_length=1)]
    """The name of the agent or service that such a token is."""
    lifetime: Duration = Field(default="15m")  # type: ignore[assignment]
    """How long the token holds that it is exchanged for."""
    skew: Duration = Field(default="60s")  # type: ignore[assignment]
    """How far the issuer's clock may be from ours."""

    @model_validator(mode="after")
    def _whole(self) -> WorkloadSettings:
        if (self.issuer is None) == (self.trust_domain is None):
            raise ValueError("needs either `issuer` or `trust_domain`")
        if self.issuer is None and self.keys is None:
            raise ValueError("`trust_domain` needs `keys`: the file of its JWK set")
        if all(not pattern.strip("*") for pattern in self.claims.values()):
            raise ValueError("`claims` must say whose tokens these are: everybody has tokens of a shared issuer")
        return self


T = TypeVar("T", bound=Section)


def check_names(tables: dict[str, T]) -> dict[str, T]:
    """Names stand in addresses and in the ledger."""
    for name in tables:
        if re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", name) is None:
            raise ValueError("names must be lower case letters, digits or `-`, at most 32")
    return tables
