"""What a browser keeps while it signs in at a provider, and until it signs out there."""

from __future__ import annotations

from consentry.server.services import Services

MAX_ID_TOKEN = 3800
"""What fits into a cookie."""


def flow_cookie_name(parts: Services) -> str:
    """The name of the cookie that ties a flow to the browser that began it."""
    return "__Host-consentry_flow" if parts.secure else "consentry_flow"


def flow_cookie(parts: Services, value: str, max_age_s: int) -> str:
    """`Lax`, since the answer comes by a link on the provider's site."""
    secure = "; Secure" if parts.secure else ""
    return f"{flow_cookie_name(parts)}={value}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Lax{secure}"


def hint_name(parts: Services) -> str:
    """The name of the cookie that keeps the ID token for signing out at the provider."""
    return "__Secure-consentry_hint" if parts.secure else "consentry_hint"


def hint_cookie(parts: Services, id_token: str) -> str:
    """The ID token stays with the person that it is about, and comes back for signing out only."""
    secure, fits = "; Secure" if parts.secure else "", 0 < len(id_token) <= MAX_ID_TOKEN
    age = parts.settings.identity.session // 1000 if fits else 0
    value = id_token if fits else ""
    return f"{hint_name(parts)}={value}; Path=/sign-out; Max-Age={age}; HttpOnly; SameSite=Strict{secure}"
