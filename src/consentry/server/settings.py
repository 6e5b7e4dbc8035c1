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
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from consentry.errors import InvalidInput
from consentry.server.secrets import SecretRef
from consentry.server.settings_channels import ChannelSettings, ReviewerSettings, WebhookSettings
from consentry.server.settings_resources import ResourceSettings
from consentry.server.settings_section import Duration, Section
from consentry.server.settings_sign_in import OidcSettings, WorkloadSettings, check_names

PREFIX = "CONSENTRY_"


class InvalidSettings(InvalidInput):
    """The settings cannot be used; the message names the key and what to write there."""

    code = "invalid_settings"


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
    """How long a body may take, beside a second for each KiB of it, and how long nothing of it may come."""
    connections: Annotated[int, Field(ge=1)] = 25_000
    """How many connections may be open at once, at the server and at each `listen` address."""


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
