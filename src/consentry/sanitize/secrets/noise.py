"""What only looks like a secret: placeholders, templates, words, paths, constants.

Everything here is arithmetic on one candidate of at most a few hundred characters.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

_COMMON_BIGRAMS_TEXT: Final = """
th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic ne
ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so rs un lo wa
ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp
fe bl ab gh ty op wo sa ay ex ke fr oo av ag if ap gr od bo sp rd do uc bu ei ov by rm ep tt oc fa ef cu rn sc gi da
yo cr cl du ga qu ue ff ba ey ls va um pp ua up lu go ht ru ug ds lt pi rc rr eg au ck ew mu br bi pt ak pu ui rg ib
tl ny ki rk ys ob mm fu ph og ms ye ud mb ip ub oi rl gu dr hr cc tw ft wn nu af hu nn eo vo rv nf xp gn sm fl iz ok
nl my gl aw ju oa eq sy sl ps jo lf nv je nk kn gs dy hy ze ks xt bs ik dd pd ws ny ke ks yp lk rw pw tp db js fs sq
rp cp fg dm ml ql io
"""
COMMON_BIGRAMS: Final = frozenset(_COMMON_BIGRAMS_TEXT.split())
"""Letter pairs that make up about 95 in 100 of English and of identifiers; random letters hit them 4 times in 10."""

PLACEHOLDER: Final = re.compile(
    r"(?i)example|change[-_ ]?me|change[-_ ]?it|placeholder|redacted|your[-_ ]|yourpass|yourtoken"
    r"|yoursecret|<[^<>]{0,80}>"
    r"|\$\{|\$\(|\{\{|\}\}|%\(|#\{|@@|<%|xxxx|\*\*\*|\.\.\.|…|•••|_here\b|-here\b|dummy|fake"
    r"|not[-_]?real|not-?the|insert[-_ ]"
    r"|replace[-_ ]?(?:me|with|this)|todo|abcdefg|abcdef[01]\d|bcdefgh|12345678901234"
    r"|0123456789abcdef|fedcba98|deadbeef"
    r"|keyboard[-_ ]?cat|lorem|sample[-_ ]?(?:key|token|pass|secret)|s3cr3t_placeholder|\[(?:masked|fi"
    r"ltered|hidden|removed)"
)
"""Marks of something written to be replaced, in any position."""

_WORDS_TEXT: Final = """
password passwd pass pwd passphrase secret secrets token tokens key keys apikey api_key api-key access_key
secret_key credential credentials auth none null nil true false undefined empty default string str text varchar char
int integer bool boolean bytes object any unknown test testing tests foo bar baz qux foobar admin root user username
login required optional hidden input value values name names type enabled disabled yes no on off ok todo tbd n/a na
void self this new env file path base64 hex json yaml sha1 sha256 sha512 md5 aes rsa hmac bearer basic digest jwt
oauth oauth2 public private prompt ask keep only mypassword my_password mysecret mytoken hunter validation invalid
missing expired wrong incorrect
"""
WORDS: Final = frozenset(_WORDS_TEXT.split())
"""Whole values that are words of the trade, not secrets."""

IDENTIFIER: Final = re.compile(r"[A-Za-z_$@&*][\w$]*(?:(?:\.|->|::|\?\.)[A-Za-z_$][\w$]*)*")
CALL_OR_INDEX: Final = re.compile(r"[A-Za-z_$][\w$.:>-]{0,80}[(\[]")
VARIABLE: Final = re.compile(r"[$%@:&][A-Za-z_{(\[<][\w.:\-{}()\[\]<>]*|%[sdvr]|\?|%[A-Za-z_]+%|[{<\[(].*[}>\])]")
PATHLIKE: Final = re.compile(
    r"(?:\.{0,2}|~|[A-Za-z]:)?[/\\][\w .@+-]{1,60}(?:[/\\][\w .@+-]{0,60})+|\.{1,2}/\S+"
    r"|[\w.-]{1,60}\.(?:pem|key|crt|cer|json|ya?ml|txt|py|js|ts|go|java|c|h|sh|conf|cfg|ini|xml|html?"
    r"|md|log|png|jpe?g|gif|svg|css|env|toml|lock)"
)
UUID: Final = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
HEX: Final = re.compile(r"[0-9a-fA-F]+")
CONSTANT: Final = re.compile(
    r"0[xX][0-9a-fA-F]{1,16}[uUlL]{0,3}|[-+]?\d{1,5}(?:\.\d+)?[a-zA-Z%]{0,3}|\d{4}-\d\d-\d\d.*|v?\d+(?:\.\d+){1,3}"
)
URLISH: Final = re.compile(r"[a-z][a-z0-9+.-]{1,15}://\S*", re.IGNORECASE)
_LETTERS: Final = re.compile(r"[A-Za-z]+")
_PARTS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def entropy(value: str) -> float:
    """Shannon entropy of the characters of `value`, in bits per character; 0.0 for an empty one."""
    if not value:
        return 0.0
    size = len(value)
    return -sum(count / size * math.log2(count / size) for count in Counter(value).values())


def wordiness(value: str) -> float:
    """How far the letters of `value` read as words: 0.0 (none of its letter pairs is common) to 1.0 (all are).

    A value without letter pairs has 0.0.
    """
    pairs = [
        run[index : index + 2]
        for run in _LETTERS.findall(value)
        for run in [run.lower()]
        for index in range(len(run) - 1)
    ]
    return sum(pair in COMMON_BIGRAMS for pair in pairs) / len(pairs) if pairs else 0.0


def is_placeholder(value: str) -> bool:
    """Whether `value` is written to be replaced: example keys, templates, runs of one character, keyboard rows."""
    if PLACEHOLDER.search(value) or VARIABLE.fullmatch(value):
        return True
    folded = value.lower()
    return folded.strip("\"'`<>[](){}.,;:!? ") in WORDS or len(set(folded)) <= 2


def is_repetitive(value: str) -> bool:
    """Whether a token body carries far less information than its length says (runs, counting, one phrase repeated)."""
    return len(value) >= 12 and entropy(value) < min(2.9, 0.62 * math.log2(len(value)))


def reads_as_words(value: str) -> bool:
    """Whether `value` is words joined by case, dots, dashes or underscores, with at most short numbers between."""
    parts = _PARTS.findall(value)
    letters = "".join(part for part in parts if not part.isdigit())
    digits = sum(len(part) for part in parts if part.isdigit())
    if len(letters) < 3 or digits > max(2, len(letters) // 4):
        return False
    switches = sum(1 for part in parts if part.isdigit())
    return switches <= 2 and len(letters) / max(1, len(parts) - switches) >= 2.5 and wordiness(value) >= 0.7


def is_path(value: str) -> bool:
    """Whether `value` is a file name or path rather than base64 with slashes."""
    return bool(PATHLIKE.fullmatch(value)) and (wordiness(value) >= 0.55 or value.startswith(("./", "../", "~/")))


def has_digit_and_letter(value: str) -> bool:
    """Whether both a digit and a letter stand in `value`."""
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value)
