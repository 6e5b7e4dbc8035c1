"""From the settings of identity to its parts: the directory, providers, workload rules."""

from __future__ import annotations

import time

from consentry.errors import ConsentryError
from consentry.identity.directory import Directory
from consentry.identity.dpop import DpopMode
from consentry.identity.linking import LinkRule
from consentry.identity.oidc_http import Outside
from consentry.identity.oidc_sign_in import SignIn
from consentry.identity.providers import Issuer, Provider
from consentry.identity.sessions import Lifetimes
from consentry.identity.workload import WorkloadRule
from consentry.policy.emails import email_text
from consentry.server.secrets import SecretRef
from consentry.server.settings import Settings
from consentry.server.settings_sign_in import OidcSettings, WorkloadSettings
from consentry.store import Store


def open_directory(settings: Settings, store: Store) -> Directory:
    """Persons, groups, agents and sessions, under the rules of the settings."""
    one = settings.identity
    lifetimes = Lifetimes(link_ms=one.link, idle_ms=one.idle, session_ms=one.session, exchanged_ms=one.exchanged)
    return Directory(store, lifetimes, links=LinkRule(one.links), providers=bool(one.oidc), dpop=DpopMode(one.dpop))


def open_sign_in(settings: Settings, store: Store, directory: Directory, origin: str) -> SignIn:
    """Providers and workload rules. Nobody is asked anything yet."""
    return SignIn(
        store,
        directory,
        Outside(),
        origin,
        [provider(name, one) for name, one in settings.identity.oidc.items()],
        [workload(name, one) for name, one in settings.identity.workload.items()],
    )


async def look_at_issuers(settings: Settings) -> tuple[tuple[str, str | None], ...]:
    """Each provider and workload rule by its key, with what is wrong with it, for `consentry doctor`."""
    http, found = Outside(), []
    for name, one in settings.identity.oidc.items():
        problem = await _problem(Issuer(one.issuer, http, time.time), one.client_secret)
        found.append((f"identity.oidc.{name}", problem))
    for name, rule in settings.identity.workload.items():
        issuer = Issuer(rule.issuer or f"spiffe://{rule.trust_domain}", http, time.time, rule.keys)
        found.append((f"identity.workload.{name}", await _problem(issuer)))
    await http.close()
    return tuple(found)


async def _problem(issuer: Issuer, secret: SecretRef | None = None) -> str | None:
    try:
        if secret is not None:
            secret.reveal()
        await issuer.check()
    except ConsentryError as error:
        return str(error)
    return None


def provider(name: str, one: OidcSettings) -> Provider:
    """A provider as it is configured."""
    return Provider(
        name=name,
        issuer=one.issuer,
        client_id=one.client_id,
        secret=None if one.client_secret is None else one.client_secret.reveal,
        label=one.label,
        scopes=one.scopes,
        domains=tuple(email_text(f"any@{domain}").rpartition("@")[2] for domain in one.domains),
        email_trusted=one.email_verified == "trusted",
        invite_only=one.invite_only,
        claims=one.claims,
        groups_claim=one.groups_claim,
        groups=one.groups,
        groups_prefix=one.groups_prefix,
        userinfo=one.userinfo,
        logout=one.logout,
        exchange_audiences=one.exchange_audiences,
        skew_s=one.skew / 1000,
    )


def workload(name: str, one: WorkloadSettings) -> WorkloadRule:
    """A workload rule as it is configured."""
    return WorkloadRule(
        name=name,
        audience=one.audience,
        agent=one.agent,
        claims=one.claims,
        issuer=one.issuer,
        trust_domain=one.trust_domain,
        keys_file=one.keys,
        lifetime_ms=one.lifetime,
        skew_s=one.skew / 1000,
    )
