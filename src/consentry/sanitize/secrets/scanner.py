"""The detector: one multi-pattern pass for places, then the exact grammar at each place."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Final

from consentry.errors import InvalidInput
from consentry.sanitize.detector import Context
from consentry.sanitize.finding import Finding
from consentry.sanitize.secrets import assignments, blocks, checks, companions, keynames, phrases, tokens, values
from consentry.sanitize.secrets.search import Search, Trigger, best

TYPE: Final = "SECRET"
NAME: Final = "secrets"
_ASSIGN: Final = rf"(?i){keynames.KEYWORD}[a-z0-9_.\-]{{0,30}}(?:\\?[\"'`]|[ \t\])]){{0,6}}(?:[:=>!?+]|,[ \t]|%3D)"
_ATTRIBUTE: Final = rf"(?i)<[a-z0-9_.\-]{{0,30}}{keynames.KEYWORD}[a-z0-9_.\-]{{0,30}}[ \t][^<>\n]{{1,100}}>"
_FOREIGN_WORDS: Final = (
    *("비밀번호", "비번", "패스워드", "암호", "пароль", "Пароль", "ПАРОЛЬ", "密码", "密碼"),
    *("パスワード", "contraseña", "Contraseña", "şifre", "Şifre", "סיסמה"),
)
_FOREIGN: Final = re.compile(rf"(?:{'|'.join(_FOREIGN_WORDS)})[ \t]{{0,3}}[:=：][ \t]{{0,3}}")
_FOREIGN_SIGNS: Final = [(sign, [word for word in _FOREIGN_WORDS if sign in word]) for sign in "비패암пП密パñşŞס"]
"""One of these stands in each of those words: quicker to look for."""
_SEED: Final = r"\b(?:[A-Z2-7]{16}|[A-Z2-7]{26}|[A-Z2-7]{32})\b"
_SEED_VALUE: Final = re.compile(r"[A-Z2-7]{16,32}")
_RUN: Final = re.compile(r"[^\s\"'`,;<>(){}\[\]\\|]*")
"""What a candidate without quotes can reach over."""
_PARAMETER: Final = re.compile(r"[^\s\"'`,;<>(){}\[\]\\|&]*")
"""The same after `=`, where it ends with the parameter."""
_TIMES: Final = 8
_SLACK: Final = 1 << 18
_TOUCHING: Final = frozenset("+/=-_.@:&?")

_Place = Callable[[str, int], Iterator[Finding]]


def _finding(start: int, end: int, subtype: str, score: float, reason: str) -> Finding:
    return Finding(TYPE, start, end, score, NAME, reason, subtype)


def _shape_place(shape: tokens.Shape) -> _Place:
    reason = f"has the shape of a {shape.subtype.replace('_', ' ')}"
    group = "value" if "value" in shape.expression.groupindex else 0

    def place(text: str, end: int) -> Iterator[Finding]:
        for start in range(max(0, end - shape.back), end):
            if start and text[start - 1] in shape.left:
                continue
            found = shape.expression.match(text, start)
            if found is None or found.end() < end or (found.end() < len(text) and text[found.end()] in shape.right):
                continue
            if shape.check(found[group]):
                yield _finding(*found.span(group), shape.subtype, shape.score, reason)
            return

    return place


def _phrase_place(phrase: phrases.Phrase) -> _Place:
    def place(text: str, end: int) -> Iterator[Finding]:
        start = max(0, end - phrase.lead)
        while start <= end:
            found = phrase.expression.match(text, start, end + assignments.AHEAD)
            score = phrase.belief(found) if found else 0.0
            if found and score:
                yield _finding(*phrases.value_span(found), phrase.subtype, score, "stands where a secret is passed")
            start = max(start + 1, found.end() if found and score else 0)

    return place


def _assigned(text: str, end: int) -> Iterator[Finding]:
    mark = end - (3 if text[end - 3 : end].lower() == "%3d" else 2 if text[end - 1] in " \t" else 1)
    for one in assignments.at(text, mark):
        yield _of_assigned(one)


def _of_assigned(one: assignments.Assigned) -> Finding:
    return _finding(one.start, one.end, one.kind, one.score, f"is assigned to a name that promises a {one.kind}")


def _block_place(find: Callable[[str, int], Iterator[blocks.Block]], width: int) -> _Place:
    def place(text: str, end: int) -> Iterator[Finding]:
        for block in find(text, end - width):
            yield _finding(block.start, block.end, block.subtype, 0.98, f"is a private key ({block.form})")

    return place


def _pem(text: str, end: int) -> Iterator[Finding]:
    begin = text.rfind("-----BEGIN ", max(0, end - 120), end)
    if begin >= 0:
        yield from _block_place(blocks.pem, end - begin)(text, end)


def _seed(text: str, end: int) -> Iterator[Finding]:
    start = end
    while start and end - start < 33 and text[start - 1].isalnum():
        start -= 1
    found = _SEED_VALUE.fullmatch(text, start, end)
    touched = (start and text[start - 1] in _TOUCHING) or (end < len(text) and text[end] in _TOUCHING)
    if found and not touched and checks.base32_seed(found[0]):
        yield _finding(start, end, "otp_seed", 0.5, "has the shape of a one-time-password seed")


def _places() -> list[tuple[Trigger, _Place]]:
    rows: list[tuple[Trigger, _Place]] = []
    for shape in tokens.SHAPES:
        rows += [(Trigger(trigger), _shape_place(shape)) for trigger in shape.triggers]
    rows += [(Trigger(phrase.trigger), _phrase_place(phrase)) for phrase in phrases.PHRASES]
    rows += [(Trigger(_ASSIGN), _assigned), (Trigger(_ATTRIBUTE), _assigned), (Trigger(_SEED), _seed)]
    rows += [
        (Trigger(r"PRIVATE KEY(?: BLOCK)?-----"), _pem),
        (Trigger("PuTTY-User-Key-File-"), _block_place(blocks.putty, 20)),
    ]
    for aligned in ("UFJJVkFURSBLRVkt", "BSSVZBVEUgS0VZL", "QUklWQVRFIEtFWS0", "ImtuL", "Imt0eS", "JrdHki", "ia3R5I"):
        rows.append((Trigger(aligned), _block_place(blocks.wrapped, len(aligned))))
    rows += [(Trigger(r"\bM(?:I[A-Za-z0-9+/]|C4)[A-Za-z0-9+/]{12}"), _block_place(blocks.der, 15))]
    rows += [(Trigger("[\"']kty[\"']"), _block_place(blocks.jwk, 5))]
    return rows


class SecretDetector:
    """Finds credentials of every known shape, and values under names that promise one. Stateless between calls."""

    name = NAME
    types = frozenset({TYPE})

    def __init__(self, search: Callable[[list[Trigger]], Search] = best) -> None:
        rows = _places()
        self._search = search([trigger for trigger, _ in rows])
        self._rows = [place for _, place in rows]
        self._assigning = frozenset(index for index, place in enumerate(self._rows) if place is _assigned)

    def scan(self, text: str, context: Context) -> list[Finding]:
        """Every secret, overlapping where two grammars agree on a place."""
        return self._found(text, context, self._search.ends(text))

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[list[Finding]]:
        """The findings of each text, as `scan` reports them, after one search over all of them joined.

        A trigger that runs over a line break is only tried in vain: what is found is read in the text alone.
        """
        starts = [0, *accumulate(len(text) + 1 for text in texts)]
        ends: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        for index, end in self._search.ends("\n".join(texts)):
            cell = bisect_left(starts, end) - 1
            if end - starts[cell] <= len(texts[cell]):
                ends[cell].append((index, end - starts[cell]))
        return [
            self._found(text, context, ends.get(cell, ()))
            for cell, (text, context) in enumerate(zip(texts, contexts, strict=True))
        ]

    def _found(self, text: str, context: Context, places: Sequence[tuple[int, int]]) -> list[Finding]:
        if not places and text.isascii() and not _promises(context):
            return []
        found: dict[tuple[int, int], Finding] = {}
        ends = sorted(set(places))
        _refuse_hostile(text, [end for index, end in ends if index in self._assigning])
        for index, end in ends:
            for one in self._rows[index](text, end):
                _keep(found, one)
                for other in companions.beside(text, one):
                    _keep(found, other)
        if found and companions.is_sealed(text):
            found = {span: one for span, one in found.items() if not companions.is_sealed_value(text, one)}
        if not text.isascii() and any(word in text for sign, words in _FOREIGN_SIGNS if sign in text for word in words):
            for match in _FOREIGN.finditer(text):
                for value in assignments.value_at(text, match.end(), "password", "password", "="):
                    _keep(found, _of_assigned(value))
        if context.value and context.key:
            for one in _whole(text, context.key):
                _keep(found, one)
        return list(found.values())


def _promises(context: Context) -> bool:
    """Whether the text is a value whose key promises a secret."""
    return context.value and context.key is not None and keynames.kind_of(context.key) is not None


def _refuse_hostile(text: str, ends: list[int]) -> None:
    """Raises where reading the candidates would cost far more than their text is long (threat E9).

    At each place a candidate of up to `values.MOST` characters may be read: in a text of nothing but `password=`,
    hundreds of times its length. Written text stays far below this.
    """
    left, until = _SLACK + _TIMES * len(text), {True: 0, False: 0}
    for end in ends:
        query = text[end - 1] == "="
        if end >= until[query]:
            until[query] = (_PARAMETER if query else _RUN).match(text, end).end()  # type: ignore[union-attr]
        left -= min(until[query] - end, values.MOST)
        if left < 0:
            raise InvalidInput("the text has more overlapping candidates for secrets than are read")


def _keep(found: dict[tuple[int, int], Finding], one: Finding) -> None:
    span = (one.start, one.end)
    if span not in found or found[span].score < one.score:
        found[span] = one


def _whole(text: str, key: str) -> Iterator[Finding]:
    """A value that stands alone under a key or column name that promises a secret."""
    kind = keynames.kind_of(key)
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    score = values.belief(text[start:end], kind, quoted=True, name=key) if kind else 0.0
    if kind and score:
        yield _finding(start, end, kind, score, f"stands under a name that promises a {kind}")
