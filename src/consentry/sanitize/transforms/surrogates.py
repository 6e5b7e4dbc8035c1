"""Stand-ins that read like the real thing and belong to nobody.

The same value gets the same stand-in everywhere under one key. A stand-in is eight made-up syllables that carry 64 bits
of HMAC-SHA256 and an 8-bit check; two values meet with a chance of n²/2⁶⁵ (n = 10⁷: 3 in a million). Phones are
exact: FF1 permutes their digits. Everything lives where nobody does: RFC 2606 and RFC 6761 names, RFC 3849 addresses,
the unassigned country code +999.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.transforms import marks
from consentry.sanitize.transforms.base import About, CannotTransform
from consentry.sanitize.transforms.ff1 import FF1
from consentry.sanitize.transforms.hashing import KeyedHash
from consentry.sanitize.transforms.keys import KeyRing
from consentry.sanitize.transforms.shapes import KeepShape

_ONSETS: Final = "bcdfghjklmnprstv"
_VOWELS: Final = "aeio"
_CODAS: Final = "lnrsmktd"
_SYLLABLE: Final = f"[{_ONSETS}][{_VOWELS}][{_CODAS}]"
_DOMAINS: Final = ("example.com", "example.net", "example.org")
_WORD: Final = re.compile(
    rf"(?<![A-Za-z])(?:https://)?(?:(?<![\w.-])[1-9]\d{{0,2}} )?"
    rf"(?P<one>(?:{_SYLLABLE}){{4}})[ ._-](?P<two>(?:{_SYLLABLE}){{4}})"
    r"(?:@example\.(?:com|net|org)|\.example(?:/|\b)| Street| Ltd)?(?![A-Za-z])",
    re.IGNORECASE | re.ASCII,
)
_ADDRESS: Final = re.compile(r"\b2001:db8(?::[0-9a-f]{4}){6}\b")
_PHONE: Final = re.compile(r"\+999 (\d{2}) (\d{4}) (\d{4,16}) (\d{2})(?!\d)")
_PHONE_BODY: Final = 12


@dataclass(frozen=True, slots=True)
class Surrogate:
    """Stand-ins for people, organisations, places, e-mail, phones, cards, hosts; a keyed hash for every other type."""

    keys: KeyRing
    _made: dict[str, bytes] = field(default_factory=dict, compare=False, repr=False)
    _phones: list[FF1] = field(default_factory=list, compare=False, repr=False)

    def of(self, value: str, about: About) -> str:
        if about.type == entities.PHONE_NUMBER:
            return self._phone(value)
        if about.type == entities.CREDIT_CARD:
            return KeepShape(self.keys).of(value, about)
        if about.type == entities.IP_ADDRESS:
            return self._address(value)
        form = _FORMS.get(about.type)
        if form is None:
            return KeyedHash(self.keys).of(value, about)
        folded = " ".join(unicodedata.normalize("NFKC", value).casefold().split())
        return form(_words(self._digest(about.type, folded)), value)

    def made(self, value: str, about: About) -> bool:
        if about.type == entities.CREDIT_CARD and KeepShape(self.keys).made(value, about):
            return True
        return find_surrogates(value) == [(0, len(value))] or marks.find_marks(value) == [(0, len(value))]

    def _digest(self, entity: str, folded: str) -> bytes:
        key = self._made.get(entity)
        if key is None:
            key = self._made[entity] = self.keys.key("surrogate", entity)
        return hmac.digest(key, folded.encode("utf-8", "surrogatepass"), "sha256")

    def _phone(self, value: str) -> str:
        """An injection of 1 to 23 digits into +999 numbers longer than E.164 allows: they can never be dialled."""
        digits = [int(character) for character in value if character.isdecimal()]
        if not digits:
            raise CannotTransform
        width = _PHONE_BODY if len(digits) < _PHONE_BODY else len(digits) + 1
        if width > 22:
            raise CannotTransform
        if not self._phones:
            self._phones.append(FF1(self.keys.key("surrogate", entities.PHONE_NUMBER), 10))
        marked = [0] * (width - len(digits) - 1) + [1] + digits
        body = "".join(map(str, self._phones[0].encrypt(marked, bytes([width]))))
        return f"+999 {body[:2]} {body[2:6]} {body[6:]} {_phone_check(body)}"

    def _address(self, value: str) -> str:
        body = self._digest(entities.IP_ADDRESS, value.strip().casefold())[:10]
        packed = bytes.fromhex("20010db8") + body + _digest_check(body)
        return "2001:db8:" + ipaddress.IPv6Address(packed).exploded[10:]


def find_surrogates(text: str) -> list[tuple[int, int]]:
    """The spans of our own stand-ins, known by their check whatever the key."""
    out = [found.span() for found in _WORD.finditer(text) if _holds(found["one"] + found["two"])]
    if "2001:db8" in text:
        out += [found.span() for found in _ADDRESS.finditer(text) if _address_holds(found.group())]
    if "+999" in text:
        out += [
            found.span() for found in _PHONE.finditer(text) if _phone_check("".join(found.group(1, 2, 3))) == found[4]
        ]
    return sorted(out)


def _words(digest: bytes) -> tuple[str, str]:
    body = digest[:8]
    number = int.from_bytes(body + _digest_check(body)[:1], "big")
    syllables = []
    for _ in range(8):
        number, at = divmod(number, 512)
        syllables.append(_ONSETS[at >> 5] + _VOWELS[at >> 3 & 3] + _CODAS[at & 7])
    return "".join(syllables[:4]), "".join(syllables[4:])


def _holds(letters: str) -> bool:
    number = 0
    letters = letters.lower()
    for at in range(len(letters) - 3, -1, -3):
        onset, vowel, coda = letters[at], letters[at + 1], letters[at + 2]
        number = number * 512 + (_ONSETS.index(onset) << 5 | _VOWELS.index(vowel) << 3 | _CODAS.index(coda))
    raw = number.to_bytes(9, "big")
    return raw[8:] == _digest_check(raw[:8])[:1]


def _address_holds(text: str) -> bool:
    packed = ipaddress.IPv6Address(text).packed
    return packed[14:] == _digest_check(packed[4:14])


def _digest_check(body: bytes) -> bytes:
    return hashlib.sha256(b"consentry surrogate\n" + body).digest()[:2]


def _phone_check(body: str) -> str:
    """Two digits, ISO 7064 MOD 97-10."""
    return f"{98 - int(body) * 100 % 97:02d}"


def _name(words: tuple[str, str], value: str) -> str:
    """Two words for two words, one hyphenated word for one, in the case of the value."""
    one, two = words
    text = f"{one.title()}{' ' if len(value.split()) > 1 else '-'}{two.title()}"
    if value.isupper():
        return text.upper()
    return text.lower() if value.islower() else text


def _mail(words: tuple[str, str], value: str) -> str:
    return f"{words[0]}.{words[1]}@{_DOMAINS[ord(words[1][0]) % 3]}"


def _link(words: tuple[str, str], value: str) -> str:
    return f"https://{words[0]}-{words[1]}.example/"


def _street(words: tuple[str, str], value: str) -> str:
    number = int.from_bytes(words[1].encode(), "big") % 899 + 1
    return f"{number} {words[0].title()}-{words[1].title()} Street"


_FORMS: Final[dict[str, Callable[[tuple[str, str], str], str]]] = {
    entities.PERSON: _name,
    entities.LOCATION: lambda words, value: f"{words[0].title()}-{words[1].title()}",
    entities.ORGANIZATION: lambda words, value: f"{words[0].title()} {words[1].title()} Ltd",
    entities.USERNAME: lambda words, value: f"{words[0]}_{words[1]}",
    entities.EMAIL_ADDRESS: _mail,
    entities.URL: _link,
    entities.STREET_ADDRESS: _street,
}
