"""The settings: `consentry.toml`, and every key as an environment variable `CONSENTRY_SECTION__KEY`.

A key that does not exist is an error that names it and the nearest one that does. Secrets are given by reference
(`server.secrets`), never written down. docs/settings.md lists every key; a test compares the two.
"""

from __future__ import annotations

import difflib
import os
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from consentry.errors import InvalidInput
from consentry.server.secrets import SecretRef
from consentry.server.settings_section import CONFIG, Duration
from consentry.server.settings_sign_in import OidcSettings, WorkloadSettings, check_names

PREFIX = "CONSENTRY_"


class InvalidSettings(InvalidInput):
    """The settings cannot be used; the message names the key and what to write there."""

    code = "invalid_settings"


class Section(BaseModel):
    """A table of the settings file."""

    model_config: ClassVar[ConfigDict] = CONFIG


class ServerSettings(Section):
    """Where the server listens and what it is called."""

    host: str = "127.0.0.1"
    """The address to listen on. One that is not of the loopback needs TLS or `behind_proxy`."""
    port: Annotated[int, Field(ge=0, le=65535)] = 7272
    """The port to listen on; 0 takes a free one."""
    url: str | None = None
    """The address that people and programs use, where it is not `http://HOST:PORT`. `https://` makes cookies secure."""
    hosts: tuple[str, ...] = ()
    """More names that the `Host` header may have. Those of `url`, `host` and the loopback are always taken."""
    tls_certificate: Path | None = None
    """The PEM file of the certificate chain."""
    tls_key: Path | None = None
    """The PEM file of its key."""
    behind_proxy: bool = False
    """Says that a reverse proxy ends TLS in front of an address that is not of the loopback."""

    @model_validator(mode="after")
    def _pairs(self) -> ServerSettings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("`tls_certificate` and `tls_key` come together")
        if self.url is not None and not self.url.startswith(("http://", "https://")):
            raise ValueError("`url` must begin with `https://` or `http://`")
        return self


class StoreSettings(Section):
    """Where state is kept."""

    url: SecretRef | None = None
    """`sqlite:///PATH` or `postgresql://…`, by reference (`env:NAME`) where it holds a password. Without it, SQLite in
    the data directory."""


class LedgerSettings(Section):
    """The log that auditors check."""

    origin: str = "consentry.local/ledger"
    """The log's name in its checkpoints and keys; choose it once, like `example.com/consentry`."""
    key: str | None = None
    """Where the signing key is: `file:PATH`. Without it, a file in the data directory."""
    keeper: str | None = None
    """Where the last checkpoint is kept outside the database: `file:PATH`. Without it, a file in the data directory."""


class PolicySettings(Section):
    """The rules."""

    dir: Path | None = None
    """The directory of `*.cedar`, `schema.cedarschema` and `cases/*.toml`. Without it, the built-in starter set."""


class ScimSettings(Section):
    """Users and groups from an identity provider by SCIM 2.0, at `/scim/v2`."""

    token: SecretRef | None = None
    """The token that the provider sends, by reference: `env:NAME`. Without it there is no SCIM."""
    per_minute: Annotated[int, Field(ge=1)] = 1200
    """How many calls the provider may make in a minute from one address."""


class IdentitySettings(Section):
    """People and their sessions."""

    administrator: str = "admin@localhost"
    """The e-mail of the first administrator, whom the first start makes."""
    link: Duration = Field(default="4h")  # type: ignore[assignment]
    """How long a one-time sign-in link holds."""
    idle: Duration = Field(default="12h")  # type: ignore[assignment]
    """How long a person's session holds without use."""
    session: Duration = Field(default="7d")  # type: ignore[assignment]
    """How long a person's session holds at most."""
    exchanged: Duration = Field(default="1h")  # type: ignore[assignment]
    """How long a token from an exchange holds at most."""
    attempts: Annotated[int, Field(ge=1)] = 10
    """How many sign-in attempts may fail in a minute from one address."""
    links: Literal["always", "first-sign-in", "never-when-provider"] = "never-when-provider"
    """For whom administrators may make sign-in links: everybody, who never signed in, or who has no provider."""
    dpop: Literal["off", "optional", "required"] = "off"
    """Whether tokens of agents and services are bound to keys (RFC 9449): if they ask for it, or always."""
    scim: ScimSettings = ScimSettings()
    oidc: Annotated[dict[str, OidcSettings], AfterValidator(check_names)] = {}
    workload: Annotated[dict[str, WorkloadSettings], AfterValidator(check_names)] = {}


class LimitSettings(Section):
    """What one caller may ask of the server."""

    body: Annotated[int, Field(ge=1024)] = 1 << 20
    """The largest body of a request, in bytes."""
    wait: Duration = Field(default="60s")  # type: ignore[assignment]
    """How long `wait=` may hold an answer back at most."""
    lease: Duration = Field(default="15m")  # type: ignore[assignment]
    """How long a claim may run before its outcome is unknown."""
    streams: Annotated[int, Field(ge=1)] = 1000
    """How many event streams may be open, those of MCP with them."""
    waits: Annotated[int, Field(ge=1)] = 20_000
    """How many callers may wait for an answer that is held back, MCP calls under way with them."""
    share: Annotated[int, Field(ge=1, le=100)] = 25
    """How much of `streams` and of `waits` one person, agent or service may take, in percent."""
    head: Annotated[int, Field(ge=1024)] = 1 << 16
    """The largest head of a request, in bytes."""
    head_time: Duration = Field(default="10s")  # type: ignore[assignment]
    """How long a connection may be open, or a head under way, before the head of a request is there."""
    body_time: Duration = Field(default="30s")  # type: ignore[assignment]
    """How long a body may take, beside a second for each KiB of it."""


class SanitizeSettings(Section):
    """What the server looks for in submitted actions."""

    findings: bool = True
    """Whether the arguments of actions are scanned for personal data and secrets."""
    scan_bytes: Annotated[int, Field(ge=1024)] = 1 << 18
    """How much text of one action is scanned; an action with more is denied."""


class LogSettings(Section):
    """The structured log on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least level that is written."""
    format: Literal["json", "text"] = "json"
    """One JSON object a line, or lines for people."""


class MetricsSettings(Section):
    """Prometheus metrics."""

    public: bool = False
    """Whether `/metrics` answers without a session; else it takes auditors and administrators."""


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


class DigestSettings(Section):
    """Requests of low risk that are collected into one message for a place, instead of one each."""

    rules: tuple[str, ...] = ("*",)
    """The rules, by id or pattern; every rule that asks must be among them, else the request is sent at once."""
    resources: tuple[str, ...] = ("*",)
    """The resources, by name or pattern."""
    every: Duration = Field(default="15m")  # type: ignore[assignment]
    """How long the first of a list waits. What would expire within five minutes of its list is sent at once."""

    @model_validator(mode="after")
    def _some(self) -> DigestSettings:
        if self.rules == ("*",) and self.resources == ("*",):
            raise ValueError("a digest names the `rules` or the `resources` whose requests may wait")
        return self


class SlackSettings(Section):
    """Decisions in Slack."""

    mode: Literal["http", "socket"] = "http"
    """How Slack reaches the server."""
    signing_secret: SecretRef | None = None
    """By reference."""
    bot_token: SecretRef | None = None
    """By reference."""
    app_token: SecretRef | None = None
    """By reference; for `socket`."""
    channel: str = "#approvals"
    """Where requests are posted that no other setting has a place for."""
    resources: dict[str, str] = {}
    """Channels of resources, by name or pattern: `"crm" = "#crm-approvals"`, `"vault/*" = "C0123ABC"`."""
    groups: dict[str, str] = {}
    """Channels of groups of reviewers: `data-stewards = "#stewards"`."""
    direct: bool = False
    """Whether each linked person who may decide also gets a direct message."""
    digests: tuple[DigestSettings, ...] = ()
    """Which requests are listed together instead of one by one; the first that fits holds."""
    api_url: str = "https://slack.com/api/"
    """The address of the Web API."""


class EmailSettings(Section):
    """E-mails that tell reviewers where to decide. Nobody decides by e-mail."""

    host: str
    """The SMTP server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` and `tls` refuse to send in the clear; `none` is for a server on the loopback."""
    ca: Path | None = None
    """The PEM file of the authorities to believe, where they are not the system's."""
    username: str | None = None
    """The account at the server."""
    password: SecretRef | None = None
    """Its password, by reference."""
    sender: str
    """The address that e-mails are from: `Consentry <consentry@example.com>`."""
    digests: tuple[DigestSettings, ...] = ()
    """Which requests are listed together instead of one by one; the first that fits holds."""


class TeamsSettings(Section):
    """Decisions in Microsoft Teams."""

    app_id: str
    """The bot's application (client) id."""
    app_password: SecretRef
    """Its client secret, by reference."""
    tenant: str
    """The directory (tenant) id whose people decide; nobody else's activities are taken."""
    channel: str | None = None
    """Where requests go that no other setting has a place for: a channel's link, or its id `19:…@thread.tacv2`."""
    resources: dict[str, str] = {}
    """Channels of resources, by name or pattern: `"vault/*" = "https://teams.microsoft.com/l/channel/…"`."""
    groups: dict[str, str] = {}
    """Channels of groups of reviewers: `data-stewards = "19:…@thread.tacv2"`."""
    direct: bool = False
    """Whether each linked person who may decide is also asked in their chat with the bot."""
    login_url: str = "https://login.microsoftonline.com"
    """Where the bot signs in."""
    openid_url: str = "https://login.botframework.com/v1/.well-known/openidconfiguration"
    """Where the Bot Framework says what its keys are."""
    service_url: str = "https://smba.trafficmanager.net/teams"
    """The service that messages are sent by, until Teams has told of another."""
    graph_url: str = "https://graph.microsoft.com"
    """Where a message is looked for whose answer was lost."""


class TeamsWebhookSettings(Section):
    """Notes in a Teams channel by a Workflows webhook, with a link. Nobody decides there."""

    url: SecretRef
    """The address that the workflow was given, by reference: whoever knows it can post."""


class ChannelSettings(Section):
    """Places where people decide, besides the web and the command line."""

    slack: SlackSettings | None = None
    teams: TeamsSettings | None = None
    teams_webhook: TeamsWebhookSettings | None = None
    email: EmailSettings | None = None


class ReviewerSettings(Section):
    """A plug-in that says who reviews now, such as an on-call schedule."""

    every: Duration = Field(default="60s")  # type: ignore[assignment]
    """How often it is asked."""
    options: dict[str, str] = {}
    """What it is told; each plug-in says what it takes."""


class WebhookSettings(Section):
    """One receiver of notifications."""

    url: str
    """Where events are posted."""
    secret: SecretRef
    """The key of the signature, by reference: `env:NAME`."""
    events: tuple[str, ...] = ("request.*", "grant.*", "claim.*", "standing.*", "breakglass.*")
    """Which event types, as exact names or `noun.*`."""

    @model_validator(mode="after")
    def _http(self) -> WebhookSettings:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("`url` must begin with `https://` or `http://`")
        return self


def default_data_dir() -> Path:
    """The platform's place for the data of one user."""
    import platformdirs

    return Path(platformdirs.user_data_dir("consentry", appauthor=False))


class Settings(Section):
    """All of them. `data_dir` comes from the command line or `CONSENTRY_DATA`, not from the file."""

    server: ServerSettings = ServerSettings()
    store: StoreSettings = StoreSettings()
    ledger: LedgerSettings = LedgerSettings()
    policy: PolicySettings = PolicySettings()
    identity: IdentitySettings = IdentitySettings()
    limits: LimitSettings = LimitSettings()
    sanitize: SanitizeSettings = SanitizeSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    resources: dict[str, ResourceSettings] = {}
    channels: ChannelSettings = ChannelSettings()
    reviewers: dict[str, ReviewerSettings] = {}
    webhooks: tuple[WebhookSettings, ...] = ()
    data_dir: Path = Field(default_factory=default_data_dir, exclude=True)

    @property
    def origin(self) -> str:
        """The origin that browsers see, without a trailing slash: `https://consentry.example.com`."""
        if self.server.url is not None:
            return self.server.url.rstrip("/")
        scheme = "http" if self.server.tls_certificate is None else "https"
        host = f"[{self.server.host}]" if ":" in self.server.host else self.server.host
        return f"{scheme}://{host}:{self.server.port}"

    @property
    def store_url(self) -> str:
        """The store's address with its secrets, or SQLite in the data directory."""
        if self.store.url is None:
            return f"sqlite:///{self.data_dir / 'consentry.db'}"
        return self.store.url.reveal()


def load(
    path: Path | None = None,
    *,
    data_dir: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, object] | None = None,
) -> Settings:
    """Read the settings: file, then environment, then `overrides` (dotted keys, for command-line options).

    Without `path`, `consentry.toml` of the working directory is read where there is one. Raises `InvalidSettings`.
    """
    values = _read_file(path)
    for name, text in sorted(environ.items()):
        if name.startswith(PREFIX) and "__" in name:
            _place(values, name.removeprefix(PREFIX).lower().split("__"), text, name)
    for dotted, value in (overrides or {}).items():
        _place(values, dotted.split("."), value, dotted)
    _refuse_unknown(values, Settings, "")
    chosen = data_dir or (Path(environ["CONSENTRY_DATA"]) if environ.get("CONSENTRY_DATA") else default_data_dir())
    try:
        return Settings.model_validate({**values, "data_dir": chosen.expanduser().absolute()})
    except ValidationError as error:
        raise InvalidSettings(_explain(error)) from None


@dataclass(frozen=True, slots=True)
class Key:
    """One setting for the reader: its dotted name, its default as it is written in a file, what it means."""

    name: str
    default: str
    meaning: str


def describe() -> Iterator[Key]:
    """Every key; what docs/settings.md must list."""
    yield from _keys(Settings, "")


def _read_file(path: Path | None) -> dict[str, object]:
    chosen = path or Path("consentry.toml")
    if path is None and not chosen.exists():
        return {}
    try:
        return tomllib.loads(chosen.read_text("utf-8"))
    except FileNotFoundError:
        raise InvalidSettings(f"`{chosen.name}` does not exist: name another file with `--config`") from None
    except (OSError, UnicodeDecodeError):
        raise InvalidSettings(f"`{chosen.name}` cannot be read: check its permissions and that it is UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidSettings(f"`{chosen.name}` is not TOML: {_where(error)}") from None


def _where(error: tomllib.TOMLDecodeError) -> str:
    """The place of the error only: the parser's words may quote a value."""
    text = str(error)
    return text[text.rindex("(at ") :].strip("()") if "(at " in text else "check its quotes and brackets"


def _place(values: dict[str, object], keys: list[str], value: object, name: str) -> None:
    """Put one value from the environment where it belongs; lists and tables are written as TOML."""
    table = values
    for key in keys[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            raise InvalidSettings(f"`{name}` goes into `{key}`, which is not a table")
        table = inner
    table[keys[-1]] = _from_text(value) if isinstance(value, str) else value


def _from_text(text: str) -> object:
    if text.startswith(("[", "{")):
        try:
            return tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            return text
    return text


def _refuse_unknown(values: Mapping[str, object], model: type[BaseModel], prefix: str) -> None:
    known = {name for name in model.model_fields if name != "data_dir"}
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(key, known, 1, 0.5)
            hint = f"did you mean `{prefix}{near[0]}`?" if near else f"there are {_list(sorted(known))}"
            raise InvalidSettings(f"`{prefix}{key}` is not a setting: {hint}")
        inner, shape = _inner(model.model_fields[key].annotation)
        if inner is None:
            continue
        if shape == "one" and isinstance(value, Mapping):
            _refuse_unknown(value, inner, f"{prefix}{key}.")
        elif shape == "table" and isinstance(value, Mapping):
            for name, item in value.items():
                if isinstance(item, Mapping):
                    _refuse_unknown(item, inner, f"{prefix}{key}.{name}.")
        elif shape == "list" and isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, Mapping):
                    _refuse_unknown(item, inner, f"{prefix}{key}[{index}].")


def _inner(annotation: object) -> tuple[type[BaseModel] | None, str]:
    """The section that a field holds, and whether one, a table of them by name, or a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, "one"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        found = [one for one in map(_inner, arguments) if one[0] is not None]
        return found[0] if found else (None, "")
    if origin in (dict, tuple) and arguments:
        model = _inner(arguments[1] if origin is dict else arguments[0])[0]
        return model, "table" if origin is dict else "list"
    return None, ""


def _list(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _explain(error: ValidationError) -> str:
    """The first complaint, by key; never the value."""
    first = error.errors(include_input=False, include_url=False, include_context=False)[0]
    key = ".".join(str(part) for part in first["loc"])
    return f"`{key}`: {first['msg'].removeprefix('Value error, ')}"


def _keys(model: type[BaseModel], prefix: str) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        if name == "data_dir":
            continue
        inner, shape = _inner(field.annotation)
        if inner is None:
            yield Key(f"{prefix}{name}", _written(field.default), " ".join((field.description or "").split()))
        else:
            yield from _keys(inner, f"{prefix}{name}" + {"one": ".", "table": ".NAME.", "list": "[]."}[shape])


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if value is None or repr(value) == "PydanticUndefined":
        return ""
    if isinstance(value, tuple):
        return "[" + ", ".join(_written(one) for one in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)
