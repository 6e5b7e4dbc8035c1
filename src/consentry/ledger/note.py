"""Signed notes with Ed25519, as C2SP `signed-note` defines them (https://c2sp.org/signed-note)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from consentry.ledger.errors import KeyUnknown, NoteInvalid

ED25519 = b"\x01"
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
_SEPARATOR = "\n\n"
_DASH = "\N{EM DASH} "


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who is said to have signed, and the signature without the key id."""

    name: str
    key_id: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note of which every known key's signature verified, and at least one key was known.

    `text` includes its final newline. `unknown` holds the signatures of keys that we were not given: they prove
    nothing.
    """

    text: str
    signatures: tuple[Signature, ...]
    unknown: tuple[Signature, ...] = ()


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name; `vkey` is its text form."""

    name: str
    public_key: bytes
    key_id: int = field(init=False)

    def __post_init__(self) -> None:
        _require_name(self.name)
        if len(self.public_key) != 32:
            raise NoteInvalid(f"key `{self.name}`: an Ed25519 public key has 32 bytes")
        object.__setattr__(self, "key_id", _key_id(self.name, self.public_key))

    @property
    def vkey(self) -> str:
        """`<name>+<key id in hex>+<base64 of algorithm byte and key>`."""
        return f"{self.name}+{self.key_id:08x}+{_to_base64(ED25519 + self.public_key)}"

    @staticmethod
    def parse(vkey: str) -> Verifier:
        """Read a `vkey`; raises `NoteInvalid` where it is malformed, of another algorithm, or its id is not its own."""
        name, key_id, key = _parse_key(vkey, "vkey")
        verifier = Verifier(name, key)
        if verifier.key_id != key_id:
            raise NoteInvalid(f"vkey `{name}`: key id `{key_id:08x}` does not belong to the key in it")
        return verifier

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name. Its text forms are secrets; its `repr` shows the name only."""

    name: str
    seed: bytes = field(repr=False)
    verifier: Verifier = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if len(self.seed) != 32:
            raise NoteInvalid(f"key `{self.name}`: an Ed25519 private key has 32 bytes")
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        object.__setattr__(self, "verifier", Verifier(self.name, public))

    @staticmethod
    def generate(name: str) -> Signer:
        """A new key from the system's randomness."""
        return Signer(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @staticmethod
    def parse(text: str) -> Signer:
        """Read `PRIVATE+KEY+<name>+<key id>+<base64>`; raises `NoteInvalid`."""
        if not text.startswith("PRIVATE+KEY+"):
            raise NoteInvalid("private key: must start with `PRIVATE+KEY+`")
        name, key_id, seed = _parse_key(text.removeprefix("PRIVATE+KEY+"), "private key")
        signer = Signer(name, seed)
        if signer.verifier.key_id != key_id:
            raise NoteInvalid(f"private key `{name}`: key id `{key_id:08x}` does not belong to the key in it")
        return signer

    @staticmethod
    def from_pem(name: str, pem: bytes) -> Signer:
        """Read an unencrypted PKCS #8 PEM Ed25519 key; raises `NoteInvalid`."""
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise NoteInvalid(f"key `{name}`: not an unencrypted PEM private key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise NoteInvalid(f"key `{name}`: the ledger signs with Ed25519 only")
        return Signer(name, key.private_bytes_raw())

    def to_text(self) -> str:
        """`PRIVATE+KEY+<name>+<key id>+<base64>`, as golang.org/x/mod/sumdb/note reads it. A secret."""
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id:08x}+{_to_base64(ED25519 + self.seed)}"

    def to_pem(self) -> bytes:
        """PKCS #8 in PEM, without the name. A secret."""
        key = Ed25519PrivateKey.from_private_bytes(self.seed)
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of an Ed25519 signature."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def sign_note(text: str, signers: Sequence[Signer]) -> bytes:
    """The note over `text`, which must end in a newline, with one signature line for each signer."""
    _require_text(text)
    if not text.endswith("\n"):
        raise NoteInvalid("the text of a note must end in a newline")
    if not signers:
        raise NoteInvalid("a note needs at least one signer")
    message = text.encode()
    lines = (f"{_DASH}{s.name} {_to_base64(s.verifier.key_id.to_bytes(4, 'big') + s.sign(message))}\n" for s in signers)
    return f"{text}\n{''.join(lines)}".encode()


def parse_note(data: bytes) -> tuple[str, tuple[Signature, ...]]:
    """The text and signature lines of a note, none of it verified. Raises `NoteInvalid` where it is malformed."""
    if len(data) > MAX_NOTE_BYTES:
        raise NoteInvalid(f"the note is longer than {MAX_NOTE_BYTES} bytes")
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise NoteInvalid("the note is not UTF-8") from error
    _require_text(whole)
    text, separator, block = whole.rpartition(_SEPARATOR)
    if not separator or not block.endswith("\n"):
        raise NoteInvalid("the note has no blank line followed by signature lines")
    lines = block[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise NoteInvalid(f"the note has more than {MAX_SIGNATURES} signatures")
    return text + "\n", tuple(_parse_signature(line) for line in lines)


def verify_note(data: bytes, verifiers: Iterable[Verifier]) -> Note:
    """Open a note: every signature by a known key must verify, and at least one key must be known.

    A known key's failing or repeated signature refuses the whole note (`NoteInvalid`). Where no key is known, that is
    `KeyUnknown`: nothing is proven either way. Known means that both name and key id match.
    """
    text, signatures = parse_note(data)
    known = {(v.name, v.key_id): v for v in verifiers}
    message, good, unknown = text.encode(), {}, []
    for signature in signatures:
        who = (signature.name, signature.key_id)
        verifier = known.get(who)
        if verifier is None:
            unknown.append(signature)
        elif who in good:
            raise NoteInvalid(f"key `{signature.name}` signed the note twice")
        elif not verifier.verifies(message, signature.signature):
            raise NoteInvalid(f"the signature of key `{signature.name}` does not verify")
        else:
            good[who] = signature
    if not good:
        names = ", ".join(f"`{s.name}+{s.key_id:08x}`" for s in unknown)
        raise KeyUnknown(f"the note is signed by {names} only, and none of the given keys is among them")
    return Note(text, tuple(good.values()), tuple(unknown))


def _parse_signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise NoteInvalid("a signature line must read `— <name> <base64>`")
    _require_name(name)
    raw = _from_base64(encoded, "signature line")
    if len(raw) < 5:
        raise NoteInvalid(f"the signature of `{name}` is too short")
    return Signature(name, int.from_bytes(raw[:4], "big"), raw[4:])


def _parse_key(text: str, what: str) -> tuple[str, int, bytes]:
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise NoteInvalid(f"{what}: must read `<name>+<key id>+<base64>`")
    name, key_id, encoded = parts
    _require_name(name)
    if len(key_id) != 8 or any(c not in "0123456789abcdef" for c in key_id):
        raise NoteInvalid(f"{what} `{name}`: the key id is 8 lower-case hex digits")
    raw = _from_base64(encoded, what)
    if raw[:1] != ED25519 or len(raw) != 33:
        raise NoteInvalid(f"{what} `{name}`: must be Ed25519, algorithm byte 1 and 32 bytes")
    return name, int(key_id, 16), raw[1:]


def _key_id(name: str, public_key: bytes) -> int:
    return int.from_bytes(sha256(name.encode() + b"\n" + ED25519 + public_key).digest()[:4], "big")


def _require_name(name: str) -> None:
    if not name or "+" in name or any(c.isspace() or ord(c) < 0x20 for c in name):
        raise NoteInvalid("a key name must not be empty nor hold spaces, control characters or `+`")


def _require_text(text: str) -> None:
    if any(ord(c) < 0x20 and c != "\n" for c in text):
        raise NoteInvalid("a note must not hold control characters other than newlines")


def _to_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _from_base64(text: str, what: str) -> bytes:
    """Strict base64: one spelling for each value, so that no bit of a note can change unnoticed."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise NoteInvalid(f"{what}: not base64") from error
    if _to_base64(raw) != text:
        raise NoteInvalid(f"{what}: not the canonical base64 spelling")
    return raw
