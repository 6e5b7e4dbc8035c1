"""The settings of an HTTP resource, as its door is told them: secrets revealed, rules parsed, profiles filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from consentry.errors import ConsentryError
from consentry.server.settings import InvalidSettings, SanitizeSettings
from consentry.server.settings_resources import HttpRule, HttpSettings, ResourceSettings

if TYPE_CHECKING:
    from consentry.doors.http.config import Credentials, Rule, Upstream

_TOKENS = {"llm": ("authorization", "x-api-key", "api-key")}
_SCHEMES = {"okta": ("bearer", "ssws")}


def upstream(name: str, settings: ResourceSettings, sanitize: SanitizeSettings) -> Upstream:
    """What the door is told of an upstream. Raises `InvalidSettings`, `SecretUnavailable`."""
    from consentry.doors.http.config import Llm, Profile, Upstream

    http = settings.http
    origin, base = _origin(name, settings)
    return Upstream(
        resource=name,
        origin=origin,
        base=base,
        profile=Profile(http.profile),
        rules=_rules(name, http),
        only_known=http.only_known,
        credentials=_credentials(name, http),
        token_headers=tuple(one.lower() for one in http.token_headers) or _TOKENS.get(http.profile, ("authorization",)),
        token_schemes=_SCHEMES.get(http.profile, ("bearer",)),
        unbound_headers=frozenset(one.lower() for one in http.unbound_headers),
        encoded_slash=http.encoded_slash,
        ignore_case=http.ignore_case,
        cookies=http.cookies,
        forwarded=http.forwarded,
        websocket=http.websocket,
        pass_unreadable=http.pass_unreadable,
        joined_text=http.joined_text,
        hold_s=http.hold / 1000,
        stream_hold_s=http.stream_hold / 1000,
        beat_s=http.beat / 1000,
        connect_s=http.connect / 1000,
        timeout_s=http.timeout / 1000,
        max_body=http.max_body,
        memory=http.memory,
        shown_body=http.shown_body,
        max_masked=http.max_masked,
        scan_limit=sanitize.scan_bytes,
        llm=Llm(
            unmask=http.llm.unmask,
            mask_answers=http.llm.mask_answers,
            tool_calls=http.llm.tool_calls,
            prices={model: (one[0], one[1]) for model, one in http.llm.prices.items()},
        ),
    )


def _origin(name: str, settings: ResourceSettings) -> tuple[str, str]:
    """`scheme://host[:port]`, and the path before every target."""
    if settings.upstream is None:
        raise InvalidSettings(f"`resources.{name}.upstream` is missing: write the address of the API")
    parts = urlsplit(settings.upstream.reveal())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise InvalidSettings(
            f"`resources.{name}.upstream` must be like `https://api.example.com`, perhaps with a path"
        )
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")


def _credentials(name: str, http: HttpSettings) -> Credentials:
    import base64

    from consentry.doors.http.config import Credentials

    headers = {header.lower(): one.reveal() for header, one in http.headers.items()}
    if (http.bearer is not None) + (http.basic is not None) + ("authorization" in headers) > 1:
        raise InvalidSettings(f"`resources.{name}.http` has several of `bearer`, `basic` and `headers.Authorization`")
    if http.bearer is not None:
        headers["authorization"] = f"Bearer {http.bearer.reveal()}"
    if http.basic is not None:
        headers["authorization"] = f"Basic {base64.b64encode(http.basic.reveal().encode()).decode('ascii')}"
    for header, value in headers.items():
        if not header.replace("-", "").replace("_", "").isalnum() or not value.isprintable():
            raise InvalidSettings(f"`resources.{name}.http.headers` has one that is no header: `{header}`")
    return Credentials(tuple(headers.items()), tuple((one, ref.reveal()) for one, ref in http.query.items()))


def _rules(name: str, http: HttpSettings) -> tuple[Rule, ...]:
    """The rules of the settings first, then those of the OpenAPI document, then those of the profile."""
    from consentry.doors.http.profiles import okta

    try:
        own = tuple(_rule(one) for one in http.rules)
        described = _described(name, http)
    except InvalidSettings:
        raise
    except ConsentryError as error:
        raise InvalidSettings(f"`resources.{name}.http`: {error}") from None
    return (*own, *described, *(okta.RULES if http.profile == "okta" else ()))


def _rule(one: HttpRule) -> Rule:
    from consentry.doors.http.config import Rule
    from consentry.doors.http.patterns import PathPattern

    methods = frozenset(part.strip().upper() for part in one.method.split(",")) - {"*", ""}
    return Rule(
        one.operation, PathPattern.parse(one.path), methods, one.query, one.body, one.facts, one.name, not one.stream
    )


def _described(name: str, http: HttpSettings) -> tuple[Rule, ...]:
    from consentry.actions import parse_object
    from consentry.doors.http.routing import rules_of

    if http.openapi is None:
        return ()
    try:
        data = http.openapi.expanduser().read_bytes()
    except OSError:
        raise InvalidSettings(f"`resources.{name}.http.openapi` cannot be read: it must be a JSON file") from None
    return rules_of(parse_object(data, what="openapi", limit=max(len(data), 1)))
