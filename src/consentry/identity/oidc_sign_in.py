"""Signing in by providers, and letting workloads in: one object per server, over a directory and the providers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from consentry.errors import NotFound
from consentry.identity import oidc_flows, server_keys
from consentry.identity.directory import Directory, own_token
from consentry.identity.dpop import Presentation
from consentry.identity.errors import InvalidExchange
from consentry.identity.jwt import InvalidJwt, expiry_ms, read_unverified, text_claim
from consentry.identity.model import Identity, SignedIn
from consentry.identity.oidc import MAX_CODE, Flow, OidcClient, SignInRefused, new_flow
from consentry.identity.oidc_claims import asserted
from consentry.identity.oidc_http import Http
from consentry.identity.oidc_sealed import MARK, not_begun, seal, unseal
from consentry.identity.providers import Provider
from consentry.identity.workload import WorkloadRule, Workloads
from consentry.identity.workload_exchange import PersonToken, Presented
from consentry.store import Store

SEALING = "sign-in flows"
"""The name of the key that flows are sealed under."""

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
JWT_TOKEN = "urn:ietf:params:oauth:token-type:jwt"  # noqa: S105
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105


class UnknownProvider(NotFound):
    """There is no such provider to sign in at."""

    code = "unknown_provider"


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser goes to sign in, and the secret that it keeps meanwhile."""

    url: str
    browser: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a browser brought back from a provider (RFC 6749, section 4.1.2)."""

    state: str
    browser: str
    code: str | None
    issuer: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Finished:
    """A sign-in that has come to its end: a session, or an identity that was linked. `next_path` is where to go."""

    next_path: str
    id_token: str
    signed_in: SignedIn | None = None
    linked: Identity | None = None


class SignIn:
    """Providers and workload rules, as they are configured. Without any, nobody gets in by this."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        http: Http,
        origin: str,
        providers: Sequence[Provider] = (),
        workloads: Sequence[WorkloadRule] = (),
    ) -> None:
        self._store = store
        self._directory = directory
        self._http = http
        self._origin = origin
        self._clients = {one.name: OidcClient(one, http, self._clock_s) for one in providers}
        self._workloads = Workloads(tuple(workloads), http, self._clock_s)
        self._sealing: bytes | None = None
        self._ending: set[str] = set()

    async def close(self) -> None:
        """Let go of the connections to providers."""
        await self._http.close()

    @property
    def providers(self) -> tuple[Provider, ...]:
        """Where people can sign in, in the order of the settings."""
        return tuple(client.provider for client in self._clients.values())

    async def begin(self, provider: str, next_path: str, session: str | None = None) -> Departure:
        """Begin to sign in; with `session`, to link another identity to the person who has it open.

        Raises `UnknownProvider`, `ProviderUnavailable`.
        """
        client = self._client(provider)
        flow = new_flow(provider, next_path, session)
        url = await client.authorization_url(flow, self.redirect_uri(provider))
        if session is None:
            return Departure(url, seal(await self._key(), flow, self._store.clock_ms() + oidc_flows.FLOW_MS))
        await self._store.write(lambda tx: oidc_flows.begin(tx, flow))
        return Departure(url, flow.browser)

    async def finish(self, provider: str, arrival: Arrival) -> Finished:
        """End what `begin` began. Raises `SignInRefused`, `ProviderUnavailable`, and where linking `IdentityTaken`."""
        client = self._client(provider)
        flow, until_ms = await self._flow(provider, arrival)
        with self._alone(flow):
            return await self._finish(client, provider, flow, until_ms, arrival)

    @contextmanager
    def _alone(self, flow: Flow) -> Iterator[None]:
        """One callback of a flow at a time: a provider takes everything back where a code comes twice (RFC 6749)."""
        if flow.state in self._ending:
            raise not_begun()
        self._ending.add(flow.state)
        try:
            yield
        finally:
            self._ending.discard(flow.state)

    async def _finish(self, client: OidcClient, provider: str, flow: Flow, until_ms: int, arrival: Arrival) -> Finished:
        if await self._store.read(lambda tx: oidc_flows.has_ended(tx, flow)):
            raise not_begun()
        await client.check_issuer(arrival.issuer)
        if arrival.error is not None or not arrival.code or len(arrival.code) > MAX_CODE:
            raise SignInRefused("the provider did not sign you in: begin again, or ask who runs it")
        redeemed = await client.redeem(arrival.code, flow, self.redirect_uri(provider))
        who = asserted(client.provider, redeemed.claims)
        if flow.session is not None:
            identity = await self._directory.link_with(who, flow.session)
            return Finished(flow.next_path, redeemed.id_token, linked=identity)
        signed_in = await self._directory.sign_in_with(who, lambda tx: oidc_flows.end(tx, flow, until_ms))
        return Finished(flow.next_path, redeemed.id_token, signed_in)

    async def logout_url(self, provider: str, id_token: str | None) -> str | None:
        """Where to sign out at the provider too; `None` where that is not set up."""
        client = self._clients.get(provider)
        return None if client is None else await client.logout_url(f"{self._origin}/sign-in", id_token)

    async def exchange(
        self, actor: tuple[str, str] | None, subject: tuple[str, str], presented: Presentation
    ) -> SignedIn:
        """Exchange tokens, each with its type (RFC 8693). Raises `InvalidExchange`, `InvalidProof`."""
        try:
            whom = await self._presented(*subject)
            who = None if actor is None else await self._presented(*actor)
        except InvalidJwt as error:
            raise InvalidExchange(str(error)) from None
        return await self._directory.exchange_presented(who, whom, presented)

    def redirect_uri(self, provider: str) -> str:
        """The one address that a provider sends people back to: ours, whatever `Host` a request has named."""
        return f"{self._origin}/sign-in/oidc/{provider}/callback"

    async def _presented(self, token: str, kind: str) -> Presented:
        if kind == ACCESS_TOKEN:
            return own_token(token)
        if kind == JWT_TOKEN:
            return await self._workloads.identify(token, self._store.clock_ms())
        if kind == ID_TOKEN:
            return await self._person(token)
        raise InvalidExchange("the token type is not one of those that are taken: see docs/sign-in.md")

    async def _person(self, token: str) -> PersonToken:
        """A person by the ID token that another client of their provider was given, where that client may."""
        issuer = read_unverified(token).get("iss")
        for client in self._clients.values():
            audience = frozenset(client.provider.exchange_audiences)
            if client.provider.issuer == issuer and audience:
                claims = await client.verify(token, audience=audience)
                asserted(client.provider, claims)
                return PersonToken(client.provider.issuer, text_claim(claims, "sub"), expiry_ms(claims))
        raise InvalidJwt("no provider's ID tokens of this issuer are exchanged: see `exchange_audiences`")

    async def _flow(self, provider: str, arrival: Arrival) -> tuple[Flow, int]:
        """The flow that this browser began, and until when it may end. Raises `SignInRefused`."""
        state, browser = arrival.state, arrival.browser
        if browser.startswith(MARK):
            return unseal(await self._key(), provider, state, browser, self._store.clock_ms())
        return await self._store.write(lambda tx: oidc_flows.take(tx, provider, state, browser)), 0

    async def _key(self) -> bytes:
        """The key that flows are sealed under: read once."""
        key = self._sealing or await self._store.read(lambda tx: server_keys.find(tx, SEALING))
        if key is None:
            key = await self._store.write(lambda tx: server_keys.make(tx, SEALING))
        self._sealing = key
        return key

    def _client(self, provider: str) -> OidcClient:
        found = self._clients.get(provider)
        if found is None:
            raise UnknownProvider("there is no provider of this name to sign in at")
        return found

    def _clock_s(self) -> float:
        return self._store.clock_ms() / 1000


def label(provider: Provider) -> str:
    """What its button says."""
    return provider.label or provider.name.replace("-", " ").title()
