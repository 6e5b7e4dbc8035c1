"""What the name of a field, variable, option or tag promises about its value."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

Kind = Literal["password", "secret", "token", "key", "auth", "credential", "nonce", "salt"]

KEYWORD: Final = (
    r"(?:pass|pas{1,2}w|psw|pss?w|pwd|passphrase|pw|secret|token|key|auth|cred|nonce|salt|api|bearer|sas"
    r"|cookie|session|kennwor|wachtwoor|senha|parola)"
)
"""Where a name that promises a secret may be recognised; a superset of `kind_of`, for triggers."""

_PASSWORD: Final = re.compile(
    r"(?:^|[^a-z])(?:\w*?)(?:pass?-?(?:w(?:o?r+s?)?d?|wrod|phrase|code)s?|p(?:a?s){1,2}w(?:o?r)?d"
    r"|pswo?r?d|pwd|psw|p/w)(?![a-z])"
    r"|(?:^|[^a-z])(?:\w*_)?(?:my|db|user|root|admin|mysql|pg|ssh|smtp|ftp|http|redis|mongo|ldap"
    r"|auth)?_?(?:pass|pw)(?![a-z])"
    r"|(?:^|[^a-z])pass?w(?:or?s?d)?(?:_|-|\.)"
    r"|(?:^|[^a-z])(?:passwor[td]e?s?|passe|kennwort|wachtwoord|senha|parola)(?![a-z])"
)
_ENDINGS: Final[tuple[tuple[Kind, re.Pattern[str]], ...]] = (
    ("secret", re.compile(r"secrets?(?![a-z])|secret(?=[_.-]?key)|otp|totp|mfa")),
    ("token", re.compile(r"(?:^|[_.\-]|[a-z0-9])tokens?(?![a-z])|bearer|cookie|session(?:[_-]?id)?$|sas$")),
    ("credential", re.compile(r"cred(?:ential)?s?(?![a-z])")),
    ("nonce", re.compile(r"nonce")),
    ("salt", re.compile(r"(?:^|[_.\-]|[a-z])salt$")),
    (
        "auth",
        re.compile(r"(?:^|[_.\-])auth(?:entication|orization)?(?![a-z])|auth$|authentication|authorization|oauth"),
    ),
    ("key", re.compile(r"(?:^|[^a-z]|[a-z])keys?(?![a-z])|api$|^api(?![a-z])")),
)
_NOT_SECRET: Final = re.compile(
    r"(?:public|primary|foreign|partition|sort|cache|hot|short|row|hash|range|index|dict|map|object"
    r"|group|lookup|search|meta|"
    r"translation|message|routing|event|data|json|config|locale|i18n|query|table|column|unique"
    r"|composite|space|issue|project|"
    r"registry|license|field|order|storage|bucket|s3|default|child|parent|item|sub|node|state|react"
    r"|vue|component|widget|menu|label|"
    r"tab|section|category|param|header|attribute|property|prop|option|setting|host|server|known"
    r"|authorized|trusted|ssh-?rsa|left|"
    r"right|up|down|enter|escape|arrow|shift|ctrl|control|alt|function|media|camera|home|back"
    r"|any_?other|is|has|no|num|max|min)"
    r"[_.\-]?keys?$"
    r"|^(?:is|has|use|no|enable|disable|allow|require|show|hide|reset|forgot|change|validate|check"
    r"|verify|get|fetch|load|parse|"
    r"generate|encrypt|decrypt|hash|next|num|max|min|total|count)_?(?=[_A-Z.-]|pass|secret|token|key)"
    r"|(?:^|_|\.|-)(?:mask\d*|file|path|dir|folder|location|length|len|size|min|max|policy|expir\w*"
    r"|ttl|timeout|age|field|label|"
    r"column|type|kind|format|algo\w*|alg|count|number|num|index|pattern|regex|hint|errors?|message"
    r"|msg|prompt|title|text|"
    r"placeholder|url|uri|endpoint|host|port|names?|users?|username|email|ids?|arn|ref|reference"
    r"|status|enabled|required|valid|"
    r"validator|validation|version|class|style|color|fails?|rate|ratio|tests?|limits?|usage|used"
    r"|budget|window|source|server|"
    r"provider|service|manager|handler|helper|utils?|list|map|scheme|method|mode|strategy|flow|grant"
    r"|scopes?|request|response|"
    r"callback|view|screen|page|form|button|input|icon|info)$"
    r"|key(?:board\w*|pad\w*|down|up|press|words?|strokes?|frames?|rings?|store|note|stone|chain|ed"
    r"|ing|er|codes?|space|map|ref)"
    r"|(?:mon|don|tur|hoc|joc|whis|jockey)keys?$|tokeni[sz]|secretar|sauth|author(?!i[sz])|pwdump"
    r"|(?:^|_)pwd_?(?:dir|path)",
    re.IGNORECASE,
)
_PASSLIKE: Final = re.compile(
    r"(?i)(?:by|com|sur|tres|under|over|en|im)pass|pass(?:ed|es|ing|enger|age|ive|ion|port|through"
    r"|thru|book|over|able|ant)"
)


@lru_cache(maxsize=4096)
def kind_of(name: str) -> Kind | None:
    """What `name` (an identifier, JSON key, option or heading) promises, or None where it promises nothing secret."""
    folded = _snake(name)
    kind = _kind(folded)
    if kind is None or (kind == "password" and _PASSLIKE.search(folded)):
        return None
    return None if _NOT_SECRET.search(folded) else kind


def _kind(folded: str) -> Kind | None:
    if _PASSWORD.search(folded):
        return "password"
    for kind, pattern in _ENDINGS:
        if pattern.search(folded):
            return kind
    return None


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip("\"'`[]()<>{}$@%\\ \t.-_")).lower().replace(" ", "_")
