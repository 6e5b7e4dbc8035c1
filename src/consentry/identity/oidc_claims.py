"""What a provider's claims say about a person, in our words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from consentry.errors import InvalidInput
from consentry.identity.jwt import Claims
from consentry.identity.oidc import SignInRefused
from consentry.identity.providers import Provider
from consentry.policy.emails import email_text

MAX_GROUPS = 1000
_GROUP = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True)
class Asserted:
    """Whom a provider has signed in: for good by (issuer, subject); by `email` only to recognise somebody once.

    `email` is `None` unless the provider says that it is verified and has the last word for its domain.
    `groups` are ours, `None` where the provider is not asked about groups.
    """

    provider: Provider
    subject: str
    email: str | None
    name: str | None
    groups: frozenset[str] | None


def asserted(provider: Provider, claims: Claims) -> Asserted:
    """Read verified claims. Raises `SignInRefused` where the provider's own conditions do not hold."""
    if not all(matches(claims, name, pattern) for name, pattern in provider.claims.items()):
        raise SignInRefused("this account does not meet the conditions that are set for this provider")
    name = claims.get("name")
    shown = " ".join(name.split()) if isinstance(name, str) else ""
    return Asserted(
        provider,
        str(claims["sub"]),
        _email(provider, claims),
        shown if 0 < len(shown) <= 200 and shown.isprintable() else None,
        _groups(provider, claims),
    )


def _email(provider: Provider, claims: Claims) -> str | None:
    """The address that the provider vouches for. An `email_verified` that says no is believed always (threat A5)."""
    email, verified = claims.get("email"), claims.get("email_verified")
    if not isinstance(email, str) or not (verified is True or (verified is None and provider.email_trusted)):
        return None
    try:
        text = email_text(email)
        return text if provider.speaks_for(text) else None
    except InvalidInput:
        return None


def _groups(provider: Provider, claims: Claims) -> frozenset[str] | None:
    """The groups here that the claim gives. A claim that was left out gives none."""
    if provider.groups_claim is None:
        return None
    overage = claims.get("_claim_names")
    if isinstance(overage, Mapping) and provider.groups_claim in overage:  # Entra ID, beyond 200 groups
        raise SignInRefused("the provider left the groups out, there are too many: let it send assigned groups only")
    value = lookup(claims, provider.groups_claim)
    names = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    if len(names) > MAX_GROUPS:
        raise SignInRefused("the provider names more than a thousand groups: let it send fewer")
    return frozenset(group for name in names if isinstance(name, str) for group in _ours(provider, name))


def _ours(provider: Provider, name: str) -> Iterator[str]:
    if name in provider.groups:
        yield provider.groups[name]
    prefix = provider.groups_prefix
    if prefix and name.startswith(prefix) and _GROUP.fullmatch(rest := name.removeprefix(prefix)):
        yield rest


def lookup(claims: Claims, name: str) -> object:
    """The claim of this name; `/` leads into a claim that is an object: `kubernetes.io/serviceaccount/name`."""
    if name in claims:
        return claims[name]
    parts = name.split("/")
    for count in range(len(parts) - 1, 0, -1):
        inner = claims.get("/".join(parts[:count]))
        if isinstance(inner, Mapping):
            return lookup(inner, "/".join(parts[count:]))
    return None


def matches(claims: Claims, name: str, pattern: str) -> bool:
    """Whether a claim, or one value of a list, is as the pattern says. A claim that is not there never is."""
    value = lookup(claims, name)
    values = value if isinstance(value, list) else [value]
    return any(_glob(pattern).fullmatch(text) is not None for one in values if (text := _text(one)) is not None)


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    """`*` stands for anything within a part, which ends at `/` or `:`; `**` for anything. All else is exact."""
    parts = re.split(r"(\*\*?)", pattern)
    words = {"*": "[^/:]*", "**": ".*"}
    return re.compile("".join(words.get(part) or re.escape(part) for part in parts), re.DOTALL)
