"""Signed notes: the published example, and every way of being malformed that C2SP signed-note rules out."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.ledger.errors import KeyUnknown, NoteInvalid
from consentry.ledger.note import Signer, Verifier, parse_note, sign_note, verify_note

ALICE = Signer("alice.example/log", bytes(32))
BOB = Signer("bob.example", bytes([1]) * 32)
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"


def test_example_of_the_specification(shared_ledger: Path) -> None:
    note = (shared_ledger / "notes" / "c2sp-signed-note-example.note").read_bytes()
    verifier = Verifier.parse((shared_ledger / "notes" / "c2sp-signed-note-example.vkey").read_text().strip())
    assert verify_note(note, [verifier]).text == "This is an example message.\n"
    for at in range(len(note) * 8):
        changed = bytearray(note)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(NoteInvalid):
            verify_note(bytes(changed), [verifier])


def test_vkey_round_trip() -> None:
    assert Verifier.parse(EXAMPLE_KEY).vkey == EXAMPLE_KEY
    assert Verifier.parse(ALICE.verifier.vkey) == ALICE.verifier


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "name",
        "name+530d903a",
        EXAMPLE_KEY.replace("530d903a", "530d903b"),
        EXAMPLE_KEY.replace("530d903a", "530D903A"),
        EXAMPLE_KEY.replace("Aeky", "Beky"),
        EXAMPLE_KEY.replace("Aeky", "Akey"),
        EXAMPLE_KEY.replace("example.com/foo", "example.com/fop"),
        EXAMPLE_KEY.replace("example.com/foo", "example.com foo"),
        EXAMPLE_KEY.replace("example.com/foo", ""),
        EXAMPLE_KEY + "=",
        EXAMPLE_KEY + "A",
        EXAMPLE_KEY + "\n",
    ],
)
def test_malformed_vkeys_are_refused(vkey: str) -> None:
    with pytest.raises(NoteInvalid):
        Verifier.parse(vkey)


def test_signer_text_forms_round_trip() -> None:
    signer = Signer.generate("log.example")
    assert Signer.parse(signer.to_text()) == signer
    assert Signer.from_pem("log.example", signer.to_pem()) == signer
    assert signer.to_text() not in repr(signer)
    assert "seed" not in repr(signer)


def test_signer_refuses_other_keys() -> None:
    for text in ("", ALICE.verifier.vkey, ALICE.to_text().replace("alice", "alicf"), ALICE.to_text() + "x"):
        with pytest.raises(NoteInvalid):
            Signer.parse(text)
    with pytest.raises(NoteInvalid, match="PEM"):
        Signer.from_pem("x", b"no key")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters=[chr(c) for c in range(0x20)])))
def test_any_text_can_be_signed_and_read_back(text: str) -> None:
    whole = f"{text}\n\nmore {text}\n"
    note = verify_note(sign_note(whole, [ALICE, BOB]), [ALICE.verifier, BOB.verifier])
    assert note.text == whole
    assert [s.name for s in note.signatures] == [ALICE.name, BOB.name]


def test_unknown_keys_are_ignored_and_prove_nothing() -> None:
    note = sign_note("text\n", [ALICE, BOB])
    opened = verify_note(note, [BOB.verifier])
    assert [s.name for s in opened.signatures] == ["bob.example"]
    assert [s.name for s in opened.unknown] == ["alice.example/log"]
    with pytest.raises(KeyUnknown):
        verify_note(note, [Verifier(ALICE.name, BOB.verifier.public_key)])
    with pytest.raises(KeyUnknown):
        verify_note(note, [])


def test_a_known_key_with_a_bad_signature_refuses_the_note() -> None:
    lines = sign_note("text\n", [ALICE, BOB]).decode().splitlines(keepends=True)
    forged = sign_note("other\n", [ALICE]).decode().splitlines(keepends=True)
    note = "".join([*lines[:2], forged[2], lines[3]]).encode()
    with pytest.raises(NoteInvalid, match="does not verify"):
        verify_note(note, [ALICE.verifier, BOB.verifier])
    assert verify_note(note, [BOB.verifier]).text == "text\n"


def _note(text: str) -> bytes:
    line = sign_note("text\n", [ALICE]).decode().splitlines(keepends=True)[2]
    return text.replace("LINE\n", line).encode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "text\n",
        "text\nLINE\n",
        "text\n\n",
        "text\n\nLINE\nrest\n",
        "text\n\nLINE\n\n",
        "te\txt\n\nLINE\n",
        "te\0xt\n\nLINE\n",
        "te\rxt\n\nLINE\n",
        "text\n\nLINE\nLINE\n",
        "text\n\n- alice.example/log AAAAAAAA\nLINE\n",
        "text\n\n— bob AAA\nLINE\n",
        "text\n\n— bob AAAA\nLINE\n",
        "text\n\n— bob  AAAAAAAA\nLINE\n",
        "text\n\n— bo+b AAAAAAAA\nLINE\n",
        "text\n\n—  AAAAAAAA\nLINE\n",
        "text\n\n— bob AAAAAAB=\nLINE\n",
        "text\n\n— bob\nLINE\n",
        "text\n\n" + "— bob AAAAAAAA\n" * 100 + "LINE\n",
        "text\n\n" + "x" * 1_000_000 + "\nLINE\n",
    ],
)
def test_malformed_notes_are_refused(text: str) -> None:
    with pytest.raises(NoteInvalid):
        verify_note(_note(text), [ALICE.verifier])


def test_the_same_name_under_another_key_id_is_another_key() -> None:
    note = verify_note(_note("text\n\n— alice.example/log AAAAAAAA\nLINE\n"), [ALICE.verifier])
    assert [s.key_id for s in note.unknown] == [0]


def test_a_line_without_its_newline_or_utf8_is_refused() -> None:
    note = sign_note("text\n", [ALICE])
    for data in (note[:-1], note.replace(b"text", b"te\xff"), note.replace(b"\n", b"\r\n")):
        with pytest.raises(NoteInvalid):
            parse_note(data)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\u2003b", "a\nb", "a\x1fb"])
def test_key_names_that_a_note_cannot_hold_are_refused(name: str) -> None:
    with pytest.raises(NoteInvalid):
        Signer(name, bytes(32))


def test_text_without_final_newline_or_signer_is_refused() -> None:
    with pytest.raises(NoteInvalid, match="newline"):
        sign_note("text", [ALICE])
    with pytest.raises(NoteInvalid, match="signer"):
        sign_note("text\n", [])
