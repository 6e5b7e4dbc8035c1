"""The tables of the settings file that are about resources and their doors: `[resources.NAME]` and below."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from consentry.server.secrets import SecretRef
from consentry.server.settings_section import Duration, Section


class McpSettings(Section):
    """The MCP server behind a resource of kind `mcp`, and how its door behaves."""

    command: tuple[str, ...] = ()
    """The program of a local server with its arguments; one that is elsewhere has `upstream` instead."""
    servers: tuple[str, ...] = ()
    """Names of other resources of kind `mcp` that this one puts behind one address, instead of a server of its own."""
    env: dict[str, SecretRef] = {}
    """Variables for a local server, by reference: `env:NAME`."""
    headers: dict[str, SecretRef] = {}
    """Headers that go to the server with each request, such as `Authorization`, by reference."""
    gentle: tuple[str, ...] = ()
    """Tools that destroy nothing, on your word; a server's own annotations are not believed."""
    pins: dict[str, str] = {}
    """Definition hashes of tools that somebody has looked at; a tool with another one is denied."""
    prefix: str = ""
    """What the names of this server's tools begin with at the door."""
    ask: tuple[Literal["sampling", "elicitation", "roots"], ...] = ("sampling", "elicitation", "roots")
    """What the server may ask of clients; sampling is also an `llm.prompt` action."""
    pass_unreadable: bool = False
    """Whether pictures, sounds and binary data pass where policy masks a result; else the result is refused."""
    hold: Duration = Field(default="50s")  # type: ignore[assignment]
    """How long an answer is held back for people; less than what clients wait."""
    beat: Duration = Field(default="5s")  # type: ignore[assignment]
    """How often a client that asked for progress hears something meanwhile."""
    timeout: Duration = Field(default="300s")  # type: ignore[assignment]
    """How long the server may take to answer."""


class HttpRule(Section):
    """Which requests to an HTTP resource are which operation; the first rule that fits decides."""

    operation: str
    """The operation that policy is asked about, such as `iam.role.assign`."""
    path: str
    """The path, such as `/api/v1/users/{user}/roles`; `{name}` is one segment, `{name...}` the rest."""
    method: str = "*"
    """The methods, such as `PUT, POST`; `*` is any."""
    query: dict[str, str] = {}
    """Parameters that the query must have, and their value; `*` is any."""
    body: dict[str, bool | int | str] = {}
    """What must stand in the JSON body, by JSON pointer, such as `"/type" = "SUPER_ADMIN"`; `*` is anything."""
    facts: dict[str, bool | int | str | tuple[str, ...]] = {}
    """What policy is told: constants, or `{name}` of the path, `{?name}` of the query, `{/pointer}` of the body."""
    name: str | None = None
    """What to call the operation; policy sees it as the fact `tool`."""
    stream: bool = False
    """Whether the body streams through unread; the action says that it is not bound."""

    @model_validator(mode="after")
    def _unread(self) -> HttpRule:
        if self.stream and (self.body or any("{/" in str(one) for one in self.facts.values())):
            raise ValueError("`stream` leaves the body unread, so `body` and `{/…}` in `facts` cannot be used")
        return self


class LlmSettings(Section):
    """The profile for language models."""

    unmask: bool = True
    """Whether placeholders in answers are taken back for the caller, where policy allows `pii.reveal` outright."""
    mask_answers: bool = False
    """Whether answers are masked as prompts are."""
    tool_calls: bool = True
    """Whether tool calls in answers are put to policy, as `llm.prompt`, before the caller gets them."""
    prices: dict[str, tuple[float, float]] = {}
    """Cost of a million tokens by model, in and out, for the outcome."""


class HttpSettings(Section):
    """The HTTP API behind a resource of kind `http`, and how its door behaves."""

    profile: Literal["rest", "llm", "okta"] = "rest"
    """What kind of API it is."""
    rules: tuple[HttpRule, ...] = ()
    openapi: Path | None = None
    """An OpenAPI document of the API, as JSON: names operations, and types them by `x-consentry-operation`."""
    only_known: bool = False
    """Whether requests that no rule names are refused; else they are `http.request`."""
    headers: dict[str, SecretRef] = {}
    """Headers that go to the API with each request, by reference."""
    bearer: SecretRef | None = None
    """The API's bearer token, by reference."""
    basic: SecretRef | None = None
    """`USER:PASSWORD` for the API, by reference."""
    query: dict[str, SecretRef] = {}
    """Query parameters that go to the API with each request, by reference."""
    token_headers: tuple[str, ...] = ()
    """Where callers put their Consentry token; `Authorization`, for `llm` also `x-api-key` and `api-key`."""
    unbound_headers: tuple[str, ...] = ()
    """Headers that go on and are no part of the action, since they differ between repeats of the same request."""
    encoded_slash: bool = False
    """Whether `%2F` may stand in a path."""
    ignore_case: bool = False
    """Whether rules' paths are compared without regard to case, as the API does."""
    cookies: bool = False
    """Whether cookies pass between callers and the API."""
    forwarded: bool = True
    """Whether the API is told the caller's address."""
    websocket: bool = False
    """Whether WebSocket connections may be made, at a `listen` address."""
    pass_unreadable: bool = False
    """Whether what cannot be looked into passes where policy masks; else it is refused."""
    joined_text: tuple[str, ...] = ()
    """Where in events texts stand that go on from event to event, as JSON pointers with `*`; `""` is all data."""
    ca: Path | None = None
    """The PEM file of the authorities that the API's certificate may come from, where the system's do not do."""
    hold: Duration = Field(default="50s")  # type: ignore[assignment]
    """How long an answer is held back for people; less than what callers wait."""
    stream_hold: Duration = Field(default="600s")  # type: ignore[assignment]
    """The same for streams of events, where comments keep the connection alive meanwhile."""
    beat: Duration = Field(default="5s")  # type: ignore[assignment]
    """How often such a comment is sent."""
    connect: Duration = Field(default="10s")  # type: ignore[assignment]
    """How long connecting to the API may take."""
    timeout: Duration = Field(default="300s")  # type: ignore[assignment]
    """How long the API may be silent."""
    max_body: Annotated[int, Field(ge=1024)] = 64 << 20
    """The largest body of a request, in bytes."""
    memory: Annotated[int, Field(ge=1024)] = 1 << 20
    """How much of a body is held in memory; the rest goes to a file without a name, in the data directory."""
    shown_body: Annotated[int, Field(ge=0)] = 1 << 14
    """The largest body that people are shown, in bytes; of a larger one they see size and hash."""
    max_masked: Annotated[int, Field(ge=1024)] = 8 << 20
    """The largest JSON document, line or event of an answer that is masked, in bytes; a larger one is refused."""
    llm: LlmSettings = LlmSettings()


class ResourceSettings(Section):
    """One resource that actions are about."""

    kind: str
    """What it is: `postgres`, `dataset`, `http`, `mcp`, …; policies see it."""
    upstream: SecretRef | None = None
    """Where it really is, by reference: `env:CRM_URL`."""
    listen: str | None = None
    """The address of its door, where that has one of its own."""
    path: Path | None = None
    """The file of a `dataset`."""
    labels: dict[str, str] = {}
    """What policies may ask about it, such as `env = "prod"`."""
    columns: dict[str, str] = {}
    """Which columns hold which entity type, such as `email = "EMAIL_ADDRESS"`."""
    mcp: McpSettings = McpSettings()
    """For kind `mcp`."""
    http: HttpSettings = HttpSettings()
    """For kind `http`."""
