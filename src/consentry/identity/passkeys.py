"""Passkeys: register, list, remove, and ask one to sign a vote. What a signature proves is in `consent.stepup`.

Each registration and removal is recorded. A passkey counts only for requests that are younger than it, so that whoever
takes over a session cannot enrol one and approve with it what is already asked (threat A12).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import orjson
from sqlalchemy import select

from consentry.actions import new_id
from consentry.consent.errors import AssuranceTooLow, PasskeyRejected
from consentry.consent.model import BallotVerdict, Request, Signed, Voter
from consentry.consent.stepup import VOTE, challenge_in, require_signature
from consentry.errors import InvalidInput
from consentry.identity import passkey_rows, rows
from consentry.identity.model import Session
from consentry.identity.passkey import (
    Credential,
    Options,
    Passkey,
    PasskeyInvalid,
    SessionNotFresh,
    Site,
    UnknownPasskey,
)
from consentry.identity.passkey_rows import of_person, passkey_of, put_challenge, use_up_challenge
from consentry.identity.tokens import find_session
from consentry.ledger.errors import LedgerError
from consentry.ledger.passkey import AssertionInvalid, challenge_of, check_key, claimed_challenge, decode, encode
from consentry.store import Store, Tx, tables
from consentry.store.record import record

FRESH_MS = 10 * 60_000
"""How old a session may be in which a passkey is registered."""

LASTS_MS = 5 * 60_000
"""How long a challenge may be answered."""

MOST = 20
"""How many passkeys a person may have."""

REGISTER, MANAGE = "register", "manage"
"""The purposes of challenges that no vote answers."""
_TRANSPORTS = frozenset({"ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"})
_ALGORITHMS = (-8, -7, -257)
_P = tables.passkeys.c


class Passkeys:
    """The passkeys of one store. `address` is what people type to reach the server, asked each time."""

    def __init__(self, store: Store, address: Callable[[], str]) -> None:
        self._store = store
        self._address = address

    @property
    def site(self) -> Site:
        """Where passkeys are used here. Raises `PasskeyUnavailable`."""
        return Site.of(self._address())

    async def of(self, person: str) -> tuple[Passkey, ...]:
        """A person's passkeys, oldest first."""
        return await self._store.read(lambda tx: tuple(passkey_of(row) for row in of_person(tx, person)))

    async def fresh(self, session: Session) -> bool:
        """Whether a passkey may be registered in this session still."""
        return await self._store.read(lambda tx: _is_fresh(tx, session.id))

    async def confirm(self, session: Session) -> Options:
        """What to ask the browser for, so that a passkey of the person confirms a change to their passkeys."""
        site, who, challenge = self.site, session.voter("web"), secrets.token_bytes(32)

        def run(tx: Tx) -> str:
            held = [row for row in of_person(tx, who.person) if row.rp == site.rp]
            if not held:
                raise UnknownPasskey(why_none(False))
            put_challenge(tx, challenge, MANAGE, who.person, who.session, nonce="", lasts_ms=LASTS_MS)
            return _assertion(site, challenge, held)

        return Options(await self._store.write(run), site.origin)

    async def begin(self, session: Session, signed: Signed | None = None) -> Options:
        """What to ask the browser for. Whoever has a passkey signs with it that they want another.

        Raises `SessionNotFresh`, `PasskeyUnavailable`, `NotAllowed`, `AssuranceTooLow`, `PasskeyRejected`.
        """
        site, who, challenge = self.site, session.voter("web"), secrets.token_bytes(32)

        def run(tx: Tx) -> str:
            _require_fresh(tx, who.session)
            person = rows.load_person(tx, who.person)
            held = of_person(tx, person.id)
            if any(row.rp == site.rp for row in held):
                _require_own(tx, who, signed)
            if len(held) >= MOST:
                raise InvalidInput(f"nobody needs more than {MOST} passkeys: remove one first")
            put_challenge(tx, challenge, REGISTER, person.id, who.session, nonce="", lasts_ms=LASTS_MS)
            return _creation(site, person.id, person.email, person.name, challenge, held)

        return Options(await self._store.write(run), site.origin)

    async def register(self, session: Session, name: str, credential: Credential) -> Passkey:
        """Keep what the browser made. Raises `PasskeyInvalid`, `PasskeyUnavailable`, `NotAllowed`."""
        site, who = self.site, session.voter("web")
        text = " ".join(name.split())
        if not text or len(text) > 100 or not text.isprintable():
            raise InvalidInput("`name` must have 1 to 100 printable characters")
        made = await asyncio.to_thread(_verified, site, credential)  # loads a library the first time
        return await self._store.write(lambda tx: _register(tx, site, who, text, credential, made))

    async def remove(
        self, by: Session, passkey_id: str, reason: str | None = None, signed: Signed | None = None
    ) -> None:
        """Let a passkey count no more: one's own, signed with one of them, or somebody else's as an administrator.

        Raises `UnknownPasskey`, `AssuranceTooLow`, `PasskeyRejected`.
        """
        site, who = self.site, by.voter("web")

        def run(tx: Tx) -> None:
            row = tx.execute(select(_P.person_id).where(_P.id == passkey_id, _P.removed_at.is_(None))).one_or_none()
            if row is None or not _may_remove(tx, who.person, row.person_id):
                raise UnknownPasskey("there is no such passkey of yours")
            if row.person_id == who.person and any(one.rp == site.rp for one in of_person(tx, who.person)):
                _require_own(tx, who, signed)
            passkey_rows.remove(tx, passkey_id, row.person_id, by=who.person, reason=reason)

        await self._store.write(run)

    async def ask(self, session: Session, request: Request, verdict: BallotVerdict, shown_digest: str) -> Options:
        """What to ask the browser for, so that a passkey signs this vote. Raises `UnknownPasskey`."""
        site, who, nonce = self.site, session.voter("web"), encode(secrets.token_bytes(16))
        challenge = challenge_of(
            digest=request.action.digest,
            request=request.id,
            shown=shown_digest,
            verdict=verdict.value,
            nonce=nonce,
        )

        def run(tx: Tx) -> str:
            held = [row for row in of_person(tx, who.person) if row.rp == site.rp]
            usable = [row for row in held if row.created_at < request.opened_at_ms]
            if not usable:
                raise UnknownPasskey(why_none(bool(held)))
            put_challenge(tx, challenge, VOTE, who.person, who.session, nonce=nonce, lasts_ms=LASTS_MS)
            return _assertion(site, challenge, usable)

        return Options(await self._store.write(run), site.origin)


def why_none(younger: bool) -> str:
    """Why a person cannot sign a vote, and the way out."""
    if younger:
        return (
            "your passkeys are younger than this request, and so do not count for it: let somebody else decide it, or"
            " ask for it to be submitted again"
        )
    return "you have no passkey here: register one on your page of passkeys; it counts for requests after that"


@dataclass(frozen=True, slots=True)
class _Made:
    """A registration that holds together."""

    challenge: bytes
    credential_id: bytes
    key: bytes
    count: int
    synced: bool


def _is_fresh(tx: Tx, session: str) -> bool:
    row = find_session(tx, session)
    return row is not None and tx.now_ms - row.created_at <= FRESH_MS


def _require_fresh(tx: Tx, session: str) -> None:
    if not _is_fresh(tx, session):
        raise SessionNotFresh(
            f"registering a passkey takes a session of the last {FRESH_MS // 60_000} minutes: sign out, sign in, and"
            " come back here"
        )


def _require_own(tx: Tx, who: Voter, signed: Signed | None) -> None:
    """Whoever took over a session must not exchange its person's passkeys for their own."""
    if signed is None:
        raise AssuranceTooLow("you have a passkey: sign with it, or have an administrator remove those that you lost")
    challenge = challenge_in(signed)
    if not use_up_challenge(tx, challenge, MANAGE, who.person, who.session):
        raise PasskeyRejected("the passkey signed a challenge that is not open for you: press the button again")
    require_signature(tx, who.person, challenge, signed)


def _may_remove(tx: Tx, by: str, person: str) -> bool:
    if by == person:
        return True
    return rows.is_member(tx, "admins", by) and rows.canonical_person(tx, by).active


def _register(tx: Tx, site: Site, who: Voter, name: str, credential: Credential, made: _Made) -> Passkey:
    person = rows.load_person(tx, who.person)
    if not person.active or not use_up_challenge(tx, made.challenge, REGISTER, person.id, who.session):
        raise PasskeyInvalid("the passkey answers a challenge that is not open for you: begin again")
    if tx.execute(select(_P.id).where(_P.credential_id == made.credential_id)).first() is not None:
        raise PasskeyInvalid("this passkey was registered before: take another, or a new one on the same device")
    passkey = Passkey(new_id("pky"), person.id, name, site.rp, made.synced, tx.now_ms, None)
    tx.execute(
        tables.passkeys.insert().values(
            id=passkey.id,
            person_id=person.id,
            credential_id=made.credential_id,
            public_key=made.key,
            sign_count=made.count,
            rp=site.rp,
            origin=site.origin,
            name=name,
            transports=" ".join(one for one in credential.transports if one in _TRANSPORTS),
            synced=made.synced,
            created_at=tx.now_ms,
            used_at=None,
            removed_at=None,
        )
    )
    tx.insert(tables.passkey_origins, {"passkey_id": passkey.id, "issued_by": who.issued_by})
    fields = {"passkey": passkey.id, "person": person.id, "key": encode(made.key), "rp": site.rp, "origin": site.origin}
    record(tx, "passkey.registered", {**fields, "session": who.session, "by": who.issued_by}, request_id=passkey.id)
    return passkey


def _verified(site: Site, credential: Credential) -> _Made:
    """Check a registration as Web Authentication section 7.1 says, user verification required."""
    from webauthn import verify_registration_response
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.exceptions import WebAuthnException

    document = {
        "id": credential.id,
        "rawId": credential.id,
        "type": "public-key",
        "response": {"clientDataJSON": credential.client_data, "attestationObject": credential.attestation},
    }
    try:
        challenge = claimed_challenge(decode(credential.client_data))
        found = verify_registration_response(
            credential=document,
            expected_challenge=challenge,
            expected_rp_id=site.rp,
            expected_origin=site.origin,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(one) for one in _ALGORITHMS],
        )
        if encode(found.credential_id) != credential.id:
            raise PasskeyInvalid("the passkey's id is not the one that the authenticator attested")
        public = decoded_public_key_to_cryptography(decode_credential_public_key(found.credential_public_key))
        key = _spki(public)
        check_key(key)
    except (WebAuthnException, AssertionInvalid, LedgerError, ValueError, KeyError, TypeError):
        raise PasskeyInvalid(
            "this is not a passkey of this site that verified you: begin again, with the device's lock or a PIN"
        ) from None
    synced = found.credential_device_type.value == "multi_device"
    return _Made(challenge, found.credential_id, key, found.sign_count, synced)


def _spki(public: object) -> bytes:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    if not isinstance(public, EllipticCurvePublicKey | Ed25519PublicKey | RSAPublicKey):
        raise TypeError
    return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _creation(site: Site, person: str, email: str, name: str, challenge: bytes, held: Sequence[rows.AnyRow]) -> str:
    """`PublicKeyCredentialCreationOptions` in their JSON form."""
    return orjson.dumps(
        {
            "rp": {"id": site.rp, "name": "Consentry"},
            "user": {"id": encode(person.encode()), "name": email, "displayName": name},
            "challenge": encode(challenge),
            "pubKeyCredParams": [{"type": "public-key", "alg": one} for one in _ALGORITHMS],
            "timeout": LASTS_MS,
            "excludeCredentials": [_descriptor(row) for row in held],
            "authenticatorSelection": {"residentKey": "preferred", "userVerification": "required"},
            "attestation": "none",
        }
    ).decode()


def _assertion(site: Site, challenge: bytes, usable: Sequence[rows.AnyRow]) -> str:
    """`PublicKeyCredentialRequestOptions` in their JSON form."""
    return orjson.dumps(
        {
            "challenge": encode(challenge),
            "timeout": LASTS_MS,
            "rpId": site.rp,
            "allowCredentials": [_descriptor(row) for row in usable],
            "userVerification": "required",
        }
    ).decode()


def _descriptor(row: rows.AnyRow) -> dict[str, object]:
    return {"type": "public-key", "id": encode(row.credential_id), "transports": row.transports.split()}
