"""What a door is told of one upstream. Secrets are in here already revealed: never shown, logged or sent on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from urllib.parse import quote, quote_plus, urlencode

from consentry.actions import Json
from consentry.doors.echo import Echo, credentials_in
from consentry.doors.http.patterns import PathPattern


class Profile(StrEnum):
    """What kind of API is behind the door."""

    REST = "rest"
    LLM = "llm"
    OKTA = "okta"


@dataclass(frozen=True, slots=True)
class Rule:
    """Which requests are which operation.

    `query` and `body` are conditions: names or JSON pointers to the value that they must have, `*` for any. `facts`
    are constants, or texts with `{name}` of the path, `{?name}` of the query, `{/pointer}` of the body. A rule that
    does not bind the body lets it stream through, and its action says so.
    """

    operation: str
    path: PathPattern
    methods: frozenset[str] = frozenset()
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Json] = field(default_factory=dict)
    facts: Mapping[str, Json] = field(default_factory=dict)
    tool: str | None = None
    binds_body: bool = True


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the gate adds to each request, and callers never see: headers (names lower case) and query parameters."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.headers)


SHORTEST_SECRET = 6
"""What is shorter is no secret, and would be found everywhere."""


@lru_cache(maxsize=256)
def secrets_of(credentials: Credentials) -> tuple[str, ...]:
    """How what the gate adds may come back, the longest first: parameters whole, values as they are and escaped."""
    found = {f"{between}{urlencode([pair])}" for pair in credentials.query for between in ("&", "")}
    values = {value for _, value in (*credentials.headers, *credentials.query)}
    values |= {value.rpartition(" ")[2] for value in values}  # without its scheme
    found |= {way(value) for value in values for way in (str, quote, quote_plus)}
    return tuple(sorted((one for one in found if len(one) >= SHORTEST_SECRET), key=lambda one: (-len(one), one)))


@dataclass(frozen=True, slots=True)
class Llm:
    """How the profile for language models behaves. `prices` are per million tokens, in and out, by model."""

    unmask: bool = True
    mask_answers: bool = False
    tool_calls: bool = True
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upstream:
    """An HTTP API behind a resource. `origin` is `scheme://host[:port]`, `base` the path before every target.

    Times are in seconds, sizes in bytes. `hold_s` is how long an answer is held back for people, `stream_hold_s` the
    same where comments of an event stream keep the connection alive meanwhile.
    """

    resource: str
    origin: str
    base: str = ""
    profile: Profile = Profile.REST
    rules: tuple[Rule, ...] = ()
    only_known: bool = False
    credentials: Credentials = Credentials()
    token_headers: tuple[str, ...] = ("authorization",)
    token_schemes: tuple[str, ...] = ("bearer",)
    unbound_headers: frozenset[str] = frozenset()
    encoded_slash: bool = False
    ignore_case: bool = False
    cookies: bool = False
    forwarded: bool = True
    websocket: bool = False
    pass_unreadable: bool = False
    joined_text: tuple[str, ...] = ()
    hold_s: float = 50.0
    stream_hold_s: float = 600.0
    beat_s: float = 5.0
    connect_s: float = 10.0
    timeout_s: float = 300.0
    max_body: int = 64 << 20
    memory: int = 1 << 20
    shown_body: int = 1 << 14
    max_masked: int = 8 << 20
    scan_limit: int = 1 << 18
    llm: Llm = Llm()
    own_headers: frozenset[str] = field(init=False)
    """Headers of requests that the gate sets or reads itself, and callers' do not go on."""
    secrets: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """See `secrets_of`."""
    echo: Echo = field(init=False, repr=False, compare=False)
    """What of the gate's own must not come back."""

    def __post_init__(self) -> None:
        secrets = credentials_in((*self.credentials.headers, *self.credentials.query))
        object.__setattr__(self, "secrets", secrets_of(self.credentials))
        object.__setattr__(self, "echo", Echo(secrets))
        object.__setattr__(self, "own_headers", self.credentials.names.union(self.token_headers))
