"""Workload identity: the token that a platform gives to a job, pod or process says which agent it is.

GitHub Actions, GitLab CI, Kubernetes service accounts and SPIFFE JWT-SVIDs differ in their claims only. A rule names an
issuer or a SPIFFE trust domain, an audience, and what the claims must be; exactly one rule must fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from consentry.identity.jwt import Claims, InvalidJwt, audiences, check_times, expiry_ms, read_unverified, text_claim
from consentry.identity.oidc_claims import matches
from consentry.identity.oidc_http import Http
from consentry.identity.providers import SKEW_S, Issuer
from consentry.identity.workload_exchange import WorkloadToken

MAX_LIFE_S = 24 * 3600.0
"""The longest life that a workload's token may have been given: one that holds for ever is no short-lived identity."""
_TYPES = frozenset({None, "jwt", "jose"})


@dataclass(frozen=True, slots=True)
class WorkloadRule:
    """Which tokens are which agent. `claims` maps claim names to patterns (`oidc_claims.matches`), which all must hold.

    With `trust_domain` a token needs no issuer: its `sub` is in that SPIFFE trust domain (JWT-SVID, section 3).
    """

    name: str
    audience: str
    agent: str
    claims: Mapping[str, str]
    issuer: str | None = None
    trust_domain: str | None = None
    keys_file: Path | None = None
    lifetime_ms: int = 15 * 60_000
    skew_s: float = SKEW_S

    def concerns(self, claims: Claims) -> bool:
        """Whether a token says that it is of this rule's issuer."""
        if self.issuer is not None:
            return claims.get("iss") == self.issuer
        subject = claims.get("sub")
        return isinstance(subject, str) and subject.startswith(f"spiffe://{self.trust_domain}/")

    def fits(self, claims: Claims) -> bool:
        """Whether verified claims are of this rule's audience and are as it says."""
        return self.audience in audiences(claims) and all(
            matches(claims, name, pattern) for name, pattern in self.claims.items()
        )


@dataclass(slots=True)
class Workloads:
    """All rules, and the issuers behind them."""

    rules: tuple[WorkloadRule, ...]
    http: Http
    clock_s: Callable[[], float]
    _issuers: dict[tuple[str, Path | None], Issuer] = field(default_factory=dict)

    async def identify(self, token: str, now_ms: int) -> WorkloadToken:
        """Which agent a token is. Raises `InvalidJwt`, whose message does not say which rules there are."""
        unverified = read_unverified(token)
        rules = [rule for rule in self.rules if rule.concerns(unverified)]
        if not rules:
            raise InvalidJwt("no workload rule takes tokens of this issuer: see `identity.workload`")
        fitting = []
        for issuer, group in self._by_issuer(rules):
            claims = await issuer.verified(token, _TYPES)
            fitting += [(rule, claims) for rule in group if rule.concerns(claims) and rule.fits(claims)]
        if len(fitting) != 1:
            raise InvalidJwt(
                "no workload rule takes this token: compare its audience and claims with `identity.workload`"
                if not fitting
                else "more than one workload rule takes this token: make their claims tell them apart"
            )
        rule, claims = fitting[0]
        return self._checked(rule, claims, now_ms)

    def _checked(self, rule: WorkloadRule, claims: Claims, now_ms: int) -> WorkloadToken:
        subject, expires = text_claim(claims, "sub", 1024), expiry_ms(claims)
        if rule.issuer is None and "iat" not in claims:  # a JWT-SVID may lack it (section 3)
            claims = {**claims, "iat": now_ms / 1000}
        check_times(claims, now_ms / 1000, rule.skew_s)
        if expires > now_ms + MAX_LIFE_S * 1000:
            raise InvalidJwt("the token holds for more than a day: use short-lived ones")
        issuer = rule.issuer or rule.trust_domain
        return WorkloadToken(rule.name, rule.agent, f"{issuer}|{subject}", now_ms + rule.lifetime_ms)

    def _by_issuer(self, rules: Iterable[WorkloadRule]) -> list[tuple[Issuer, list[WorkloadRule]]]:
        groups: dict[tuple[str, Path | None], list[WorkloadRule]] = {}
        for rule in rules:
            groups.setdefault((rule.issuer or f"spiffe://{rule.trust_domain}", rule.keys_file), []).append(rule)
        return [(self._issuer(*key), group) for key, group in groups.items()]

    def _issuer(self, name: str, keys_file: Path | None) -> Issuer:
        key = (name, keys_file)
        if key not in self._issuers:
            self._issuers[key] = Issuer(name, self.http, self.clock_s, keys_file)
        return self._issuers[key]
