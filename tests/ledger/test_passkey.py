"""A passkey's signature over a vote, checked by somebody who has only the log; each way to forge it, tried once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from consentry.ledger.entry import decode_entry, encode_entry
from consentry.ledger.passkey import (
    Assertion,
    AssertionInvalid,
    Registration,
    challenge_of,
    check_key,
    decode,
    encode,
    verify_assertion,
)
from consentry.ledger.report import Outcome
from consentry.ledger.rules import Rules

RP, ORIGIN = "consent.example.org", "https://consent.example.org"
EARLY, TIME, LATE = (f"2026-01-02T03:0{n}:05.678Z" for n in (3, 4, 5))
SAYS = {"digest": "d" * 64, "request": "req_1", "shown": "e" * 64, "verdict": "approve", "nonce": "bm9uY2U"}
KINDS = ("es256", "ed25519", "rs256")

_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
_CLIENT = orjson.dumps({"type": "webauthn.get", "challenge": encode(challenge_of(**SAYS)), "origin": ORIGIN})
_DATA = sha256(RP.encode()).digest() + b"\x05\x00\x00\x00\x01"
GOOD = Assertion(_DATA, _CLIENT, _KEY.sign(_DATA + sha256(_CLIENT).digest()))
_SPKI = _KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
REGISTERED = Registration("pky_1", "per_1", _SPKI, RP, ORIGIN)


def test_the_good_one_is_good() -> None:
    assert verify_assertion(REGISTERED, challenge_of(**SAYS), GOOD) == 1


def registration(key, **changes: object) -> Registration:
    return replace(REGISTERED, key=key.spki, **changes)


def assertion(key, challenge: bytes, /, *, rp: str = RP, origin: str = ORIGIN, **changes: object) -> Assertion:
    made = key.get({"challenge": encode(challenge), "rpId": rp}, origin, **changes)
    return Assertion(*(decode(made[name]) for name in ("authenticator_data", "client_data_json", "signature")))


@pytest.mark.parametrize("kind", KINDS)
def test_a_signature_over_exactly_this_vote_verifies(authenticator, kind) -> None:
    key, challenge = authenticator(kind), challenge_of(**SAYS)
    assert verify_assertion(registration(key), challenge, assertion(key, challenge)) == 1


@pytest.mark.parametrize("name", SAYS)
def test_every_part_of_the_vote_is_signed(authenticator, name) -> None:
    key = authenticator()
    other = challenge_of(**{**SAYS, name: SAYS[name][:-1] + "0"})
    with pytest.raises(AssertionInvalid, match="another action, request, verdict or view"):
        verify_assertion(registration(key), other, assertion(key, challenge_of(**SAYS)))


LIES: dict[str, dict[str, object]] = {
    "of a registration": {"type": "webauthn.create"},
    "without a challenge": {"challenge": None},
    "another origin": {"origin": "https://consent.example.org.evil.example"},
    "the origin without TLS": {"origin": "http://consent.example.org"},
    "another relying party": {"rp": "evil.example"},
    "nobody was there": {"flags": 0x04},
    "nobody was verified": {"flags": 0x01},
    "in a frame": {"crossOrigin": True},
    "in a frame, said otherwise": {"topOrigin": "https://evil.example"},
}


@pytest.mark.parametrize("lie", LIES.values(), ids=list(LIES))
def test_each_step_of_the_specification_refuses(authenticator, lie) -> None:
    key, challenge = authenticator(), challenge_of(**SAYS)
    with pytest.raises(AssertionInvalid):
        verify_assertion(registration(key), challenge, assertion(key, challenge, **lie))


@pytest.mark.parametrize("kind", KINDS)
def test_the_library_says_the_same(authenticator, kind) -> None:
    """py_webauthn accepts what we accept: the counterpart that we did not write."""
    import cbor2
    from webauthn import verify_authentication_response

    key, challenge = authenticator(kind), challenge_of(**SAYS)
    made = key.get({"challenge": encode(challenge), "rpId": RP}, ORIGIN)
    names = {"authenticatorData": "authenticator_data", "clientDataJSON": "client_data_json", "signature": "signature"}
    document = {
        "id": made["credential_id"],
        "rawId": made["credential_id"],
        "type": "public-key",
        "response": {theirs: made[ours] for theirs, ours in names.items()},
    }
    found = verify_authentication_response(
        credential=document,
        expected_challenge=challenge,
        expected_rp_id=RP,
        expected_origin=ORIGIN,
        credential_public_key=cbor2.dumps(key._cose()),
        credential_current_sign_count=0,
        require_user_verification=True,
    )
    parts = Assertion(*(decode(made[name]) for name in names.values()))
    assert verify_assertion(registration(key), challenge, parts) == found.new_sign_count


@given(st.sampled_from(["authenticator", "client", "signature"]), st.data())
def test_one_changed_bit_is_no_signature(part: str, data: st.DataObject) -> None:
    raw = bytearray(getattr(GOOD, part))
    at = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[at // 8] ^= 1 << at % 8
    with pytest.raises(AssertionInvalid):
        verify_assertion(REGISTERED, challenge_of(**SAYS), replace(GOOD, **{part: bytes(raw)}))


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(max_size=300))
def test_rubbish_is_refused_and_never_a_crash(data: bytes, client: bytes, signature: bytes) -> None:
    with pytest.raises(AssertionInvalid):
        verify_assertion(REGISTERED, challenge_of(**SAYS), Assertion(data, client, signature))


@given(st.binary(max_size=200))
def test_a_key_of_another_kind_is_refused(key: bytes) -> None:
    with pytest.raises(AssertionInvalid):
        check_key(key)


def test_weak_and_foreign_keys_are_refused() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    for key in (weak, ec.generate_private_key(ec.SECP384R1()), ed448.Ed448PrivateKey.generate()):
        with pytest.raises(AssertionInvalid, match="none of P-256"):
            check_key(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


@given(st.text(max_size=40))
def test_base64url_has_one_spelling(text: str) -> None:
    try:
        raw = decode(text)
    except AssertionInvalid:
        return
    assert encode(raw) == text


# The rules of a log.

OPENED = {
    "request": "req_1", "action": "act_1", "digest": "d" * 64, "operation": "secret.read", "resource": "a" * 64,
    "chain": ["agt_1"], "policy": "c" * 64, "policies": ["strong"], "authors": ["per_author"], "quorum": 1,
    "expires": LATE, "stages": 1, "assurance": 3, "shown": "e" * 64,
}  # fmt: skip
VOTED = {"request": "req_1", "person": "per_1", "verdict": "approve", "shown": "e" * 64, "stage": 0}
MADE = {"passkey": "pky_1", "person": "per_1", "key": encode(_SPKI), "rp": RP, "origin": ORIGIN}
SIGNED = {**VOTED, "assurance": 3, "passkey": "pky_1", "nonce": SAYS["nonce"], **GOOD.fields()}
Event = tuple[str, str, dict[str, object]]


def story() -> list[Event]:
    approved = {"request": "req_1", "digest": "d" * 64, "approvers": ["per_1"]}
    return [
        ("passkey.registered", EARLY, dict(MADE)),
        ("request.opened", TIME, dict(OPENED)),
        ("request.vote", LATE, dict(SIGNED)),
        ("request.approved", LATE, approved),
    ]


def codes(events: list[Event], *, whole_log: bool = True) -> list[tuple[str, Outcome]]:
    rules, found = Rules(whole_log=whole_log), []
    for index, (name, time, fields) in enumerate(events):
        found += rules.read(index, decode_entry(encode_entry(name, time, fields)))  # type: ignore[arg-type]
    return [(one.code, one.outcome) for one in found]


def test_a_signed_vote_keeps_the_rules() -> None:
    assert codes(story()) == []


def test_several_stages_each_say_what_they_ask_for() -> None:
    events = story()
    events[1][2].update(stages=2, assurances=["2", "3"])
    events[2][2].update(VOTED, assurance=2)
    for name in ("passkey", "nonce", *GOOD.fields()):
        del events[2][2][name]
    assert codes(events) == []
    events[2][2].update(stage=1)
    assert codes(events) == [("passkey_missing", Outcome.TAMPERED)]


def unsigned(events: list[Event]) -> None:
    events[2] = ("request.vote", LATE, {**VOTED, "assurance": 2})


def change(index: int, **fields: object) -> Callable[[list[Event]], None]:
    return lambda events: events[index][2].update(fields)


BREAKS: dict[str, tuple[Callable[[list[Event]], object], str]] = {
    "a vote without a signature where the stage asks for one": (unsigned, "passkey_missing"),
    "a vote that claims what it does not hold": (
        lambda events: events.__setitem__(2, ("request.vote", LATE, {**VOTED, "assurance": 3})), "passkey_missing",
    ),
    "another digest": (change(1, digest="f" * 64), "passkey_invalid"),
    "another view": (change(2, shown="f" * 64), "passkey_invalid"),
    "another nonce": (change(2, nonce="AAAA"), "passkey_invalid"),
    "another key": (change(0, key=encode(_SPKI[:-1] + b"\x00")), "passkey_invalid"),
    "another site": (change(0, origin="https://evil.example"), "passkey_invalid"),
    "another relying party": (change(0, rp="evil.example"), "passkey_invalid"),
    "another person's passkey": (change(0, person="per_2"), "passkey_invalid"),
    "a part left out": (lambda events: events[2][2].pop("signature"), "passkey_invalid"),
    "a passkey as old as the request": (
        lambda events: events.__setitem__(0, (events[0][0], TIME, events[0][2])), "passkey_invalid",
    ),
    "a passkey that was removed": (
        lambda events: events.insert(1, ("passkey.removed", EARLY, {"passkey": "pky_1", "person": "per_1"})),
        "passkey_invalid",
    ),
    "a passkey that was registered twice": (lambda events: events.insert(1, events[0]), "passkey_invalid"),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "code"), BREAKS.values(), ids=list(BREAKS))
def test_each_rule_of_passkeys_broken_once(edit, code) -> None:
    events = story()
    edit(events)
    found = codes(events)
    assert (code, Outcome.TAMPERED) in found
    assert {one for one, _ in found} <= {code, "digest_differs"}


def test_a_challenge_is_used_once() -> None:
    events = story()
    void = ("request.vote_void", LATE, {"request": "req_1", "person": "per_1", "cause": "disabled"})
    events[3:3] = [void, events[2]]
    assert codes(events) == [("passkey_invalid", Outcome.TAMPERED)]


@pytest.mark.parametrize(("whole_log", "outcome"), [(True, Outcome.TAMPERED), (False, Outcome.UNVERIFIABLE)])
def test_a_registration_that_is_not_there(whole_log, outcome) -> None:
    assert codes(story()[1:], whole_log=whole_log) == [("passkey_unknown", outcome)]


def test_a_denial_needs_no_passkey() -> None:
    events = [story()[1], ("request.vote", LATE, {**VOTED, "assurance": 2, "verdict": "deny"})]
    assert codes(events) == []
