"""Secrets told by the words around them: command lines, SQL, headers, URLs, connection strings, plain sentences."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from consentry.sanitize.secrets import keynames, noise, values


@dataclass(frozen=True, slots=True)
class Phrase:
    """A grammar around a value. `trigger` (Hyperscan's syntax too) ends where `expression` is tried `lead` before."""

    subtype: str
    trigger: str
    expression: re.Pattern[str]
    lead: int
    belief: Callable[[re.Match[str]], float]


_QUOTED_OR_BARE: Final = (
    r"(?:\\{0,2}\"(?P<double>[^\"\n\\]{4,400})\\{0,2}\"|\\{0,2}'(?P<single>[^'\n\\]{4,400})\\{0,2}'"
    r"|(?P<bare>[^\s\"'`<>|;)(]{4,400}))"
)


def value_span(found: re.Match[str]) -> tuple[int, int]:
    """The span of the value that a phrase matched."""
    for group in ("double", "single", "bare"):
        if found.re.groupindex.get(group) and found[group] is not None:
            return found.span(group)
    return found.span("value")


def _value(found: re.Match[str]) -> str:
    start, end = value_span(found)
    return found.string[start:end]


def _quoted(found: re.Match[str]) -> bool:
    return found.re.groupindex.get("bare") is None or found["bare"] is None


def _option(found: re.Match[str]) -> float:
    kind = keynames.kind_of(found["name"])
    value = _value(found)
    if kind is None or value.startswith("-"):
        return 0.0
    return values.belief(value, kind, quoted=_quoted(found), name=found["name"])


def _password(found: re.Match[str]) -> float:
    return values.belief(_value(found), "password", quoted=_quoted(found))


_STATEMENT: Final = re.compile(
    r"(?i)\b(?:create|alter|set|drop)\s{1,8}(?:user|role|login|password)\b|mysql\.user|\blogin[ ]{1,4}\Z"
)


def _sql(found: re.Match[str]) -> float:
    value = _value(found)
    if not _STATEMENT.search(found.string, max(0, found.start() - 250), found.start()):
        return 0.0
    if value.upper() in (
        "EXPIRE",
        "HISTORY",
        "REQUIRE",
        "DEFAULT",
        "NEVER",
        "EXTERNAL",
        "VALUES",
        "NULL",
        "REUSE",
        "RANDOM",
        "CURRENT",
    ):
        return 0.0
    return values.belief(value, "password", quoted=_quoted(found))


def _sentence(found: re.Match[str]) -> float:
    value = _value(found)
    mixed = noise.has_digit_and_letter(value) and (
        any(not c.isalnum() for c in value) or any(c.isupper() for c in value)
    )
    kind: keynames.Kind = keynames.kind_of(found["name"]) or "password"
    return min(0.75, values.belief(value, kind, quoted=_quoted(found))) if mixed else 0.0


def _url(found: re.Match[str]) -> float:
    value = found["value"]
    if noise.is_placeholder(value) or len(value) < 3 or value.startswith(("$", "{", "%(", "<", "[")):
        return 0.0
    return 0.6 if value.isalpha() and noise.wordiness(value) > 0.8 else 0.9


def _basic(found: re.Match[str]) -> float:
    value = found["value"]
    try:
        raw = base64.b64decode(value + "=" * (-len(value) % 4), validate=True)
        user, colon, password = raw.decode("utf-8").partition(":")
    except (binascii.Error, ValueError):
        return 0.0
    fits = bool(colon) and user.isprintable() and password.isprintable() and len(password) >= 3
    return 0.9 if fits and not noise.is_placeholder(password) else 0.0


def _scheme(found: re.Match[str]) -> float:
    return values.belief(found["value"], "token", quoted=True)


def _two(found: re.Match[str]) -> float:
    return values.belief(found["value"], "secret", quoted=True)


PHRASES: Final[tuple[Phrase, ...]] = (
    Phrase(
        "password",
        rf"(?i)(?:^|[\s'\"(/])--?[a-z0-9_-]{{0,30}}{keynames.KEYWORD}[a-z0-9_-]{{0,20}}[ \t]",
        re.compile(
            rf"(?:^|(?<=[\s'\"(/]))--?(?P<name>[A-Za-z][\w-]{{1,50}})[ \t]{{1,4}}(?=[^-\s]){_QUOTED_OR_BARE}",
            re.MULTILINE,
        ),
        64,
        _option,
    ),
    Phrase(
        "password",
        r"pass:",
        re.compile(r"(?<![\w-])pass:(?P<value>[^\s\"'\\]{4,200})"),
        6,
        _password,
    ),
    Phrase(
        "password",
        r"(?:-u|--user)[ =][\"']?[a-zA-Z0-9_.@+-]{1,64}:|sshpass[ ]-p",
        re.compile(
            r"(?:(?:-u|--user)[ =]{1,2}[\"']?[\w.@+-]{1,64}:|sshpass[ ]{1,3}-p[ ]{0,3}[\"']?)(?P<value"
            r">[^\s\"'\\:]{3,200})"
        ),
        16,
        _password,
    ),
    Phrase(
        "password",
        r"(?i)identified[ \t]",
        re.compile(
            rf"(?i:identified[ \t]{{1,4}}(?:with[ \t]{{1,4}}['\"]?\w{{1,40}}['\"]?[ \t]{{1,4}})?(?:by"
            rf"|as)(?:[ \t]{{1,4}}password)?)[ \t]{{1,4}}{_QUOTED_OR_BARE}"
        ),
        12,
        _sql,
    ),
    Phrase(
        "password",
        r"(?i)[ .('\"=]password[ \t=('\"]",
        re.compile(rf"(?i:password)[ \t]{{0,4}}(?:=[ \t]{{0,4}}|\([ \t]{{0,4}})?{_QUOTED_OR_BARE}"),
        12,
        _sql,
    ),
    Phrase(
        "password",
        r"(?i)(?:define|global|set|setx|export|const|let|var)[ \t\\]",
        re.compile(
            r"(?:(?:#|%)(?:define|global)|(?i:setx?))(?:[ \t]|\\t){1,4}(?P<name>[A-Za-z]\w{1,60})(?:[ \t]|\\t){1,20}"
            r"(?:\\{0,2}\"(?P<double>[^\"\n\\]{4,400})\\{0,2}\"|(?P<bare>[^\s\"'`<>|;)({]{8,400})"
            r"|(?P<value>\{[ \t]{0,4}(?:0x[0-9a-fA-F]{1,2}|\d{1,3})(?:[ \t]{0,4},[ \t\\]{0,4}(?:\r?\n"
            r"[ \t]{0,40})?(?:0x[0-9a-fA-F]{1,2}|\d{1,3})){7,127}))"
        ),
        9,
        lambda found: (
            (0.8 if found["value"] and keynames.kind_of(found["name"]) else _option(found))
            if not found["value"] or keynames.kind_of(found["name"])
            else 0.0
        ),
    ),
    Phrase(
        "url_password",
        r"://[^\s/\"'<>]{0,128}:[^\s/\"'<>]{1,128}@",
        re.compile(r"://[^\s/:\"'<>]{0,128}:(?P<value>[^\s/\"'<>@]{1,128})@(?=[\w\[$.{-])"),
        260,
        _url,
    ),
    Phrase(
        "url_password",
        r"://[^\s/\"'<>]{1,64}@[a-z0-9.]{1,64}:[^\s/\"'<>@]{4,64}@",
        re.compile(r"://[^\s/:\"'<>@]{1,64}@[\w.]{1,64}:(?P<value>[^\s/\"'<>@]{4,64})@"),
        200,
        _url,
    ),
    Phrase(
        "basic_auth",
        r"(?i)basic[ \t]+[a-z0-9+/]{4}",
        re.compile(r"(?i:basic)[ \t]{1,4}(?P<value>[A-Za-z0-9+/]{8,400}={0,2})"),
        16,
        _basic,
    ),
    Phrase(
        "bearer_token",
        r"(?i)(?:bearer|ntlm|negotiate|apikey|token)[ \t]+[\"']?[a-z0-9]{8}",
        re.compile(
            r"(?i:bearer|ntlm|negotiate|authorization[\"']?[ ]{0,3}[:=][ ]{0,3}[\"']?(?:apikey"
            r"|token))[ \t]{1,4}[\"']?(?P<value>[A-Za-z0-9+/._~=\-]{12,2000})"
        ),
        48,
        _scheme,
    ),
    Phrase(
        "password",
        r"(?i)machine[ \t]",
        re.compile(
            r"(?i:machine)\s{1,4}\S{1,100}\s{1,4}(?i:login)\s{1,4}\S{1,100}\s{1,4}(?i:password)\s{1,4}"
            r"(?P<value>\S{3,200})"
        ),
        10,
        _password,
    ),
    Phrase(
        "password",
        r"(?i)(?:password|passwort|passcode|pass|pwd|pw|secret|token)[ ](?:is|was|to|für|ist)[ ]",
        re.compile(
            rf"(?i)(?P<name>password|passwort|passcode|pass|pwd|pw|secret|token)[ ](?:is|was|to|ist)[ ]"
            rf"{{1,3}}(?:now[ ])?{_QUOTED_OR_BARE}"
        ),
        20,
        _sentence,
    ),
    Phrase(
        "url_secret",
        r"(?i)[?&][a-z_-]{0,24}(?:key|token|secret|pass|pwd|sig|auth|cred|code)[a-z_-]{0,16}=",
        re.compile(r"[?&](?P<name>[A-Za-z_-]{1,50})=(?P<value>[^\s&\"'<>#;,)(}{\]]{8,1000})"),
        44,
        _option,
    ),
)
