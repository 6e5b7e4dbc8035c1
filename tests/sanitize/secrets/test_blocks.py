"""Private keys in their wrappings. Keys are made here with the cryptography package, so they are real in form."""

from __future__ import annotations

import base64
import textwrap

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

NONE = serialization.NoEncryption()


def pem(form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> str:
    key = ec.derive_private_key(0x1F2E3D4C5B6A79881122334455667788, ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, form, NONE).decode()


def openssh() -> str:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, NONE).decode()


WRAPPINGS = {
    "as it is": lambda text: text,
    "indented": lambda text: textwrap.indent(text, "    "),
    "a log": lambda text: textwrap.indent(text, "2026-04-26 12:36:01 "),
    "a comment": lambda text: textwrap.indent(text, " * "),
    "one line of JSON": lambda text: '{"key": "' + text.replace("\n", "\\n") + '"}',
    "quoted lines": lambda text: "\n".join(f'"{line}\\n" +' for line in text.splitlines()),
}


@pytest.mark.parametrize("wrap", WRAPPINGS.values(), ids=WRAPPINGS.keys())
@pytest.mark.parametrize("make", [pem, lambda: pem(serialization.PrivateFormat.TraditionalOpenSSL), openssh])
def test_a_private_key_is_found_from_first_to_last_dash(scan, wrap, make):
    text = wrap(make())
    blocks = [one for one in scan(text) if one.subtype == "private_key"]
    assert blocks
    assert text[blocks[0].start : blocks[0].end].startswith("-----BEGIN ")
    assert max(one.end for one in blocks) == text.rindex("-----") + 5


def test_a_key_cut_off_is_still_found(scan):
    text = pem().rsplit("-----END", 1)[0]
    assert any(one.subtype == "private_key" and one.end >= len(text.rstrip()) - 1 for one in scan(text))


def test_the_same_key_in_base64_or_bare_der_is_found(scan):
    assert any(one.subtype == "private_key" for one in scan(base64.b64encode(pem().encode()).decode()))
    key = ec.derive_private_key(0x1F2E3D4C5B6A79881122334455667788, ec.SECP256R1())
    der = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, NONE)
    assert any(one.subtype == "private_key" for one in scan(f"<data>\n{base64.encodebytes(der).decode()}</data>"))


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIB...\n-----END RSA PRIVATE KEY-----",
        'head = "-----BEGIN PRIVATE KEY-----"\nfoot = "-----END PRIVATE KEY-----"',
    ],
)
def test_headers_without_a_body_are_none(scan, text):
    assert not any(one.subtype == "private_key" for one in scan(text))


def test_a_public_key_and_a_certificate_are_none(scan):
    key = ec.derive_private_key(0x1F2E3D4C5B6A79881122334455667788, ec.SECP256R1()).public_key()
    public = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    assert scan(public) == []
    assert scan("".join(public.splitlines()[1:-1])) == []


def test_a_json_web_key_gives_its_private_member(values):
    secret = "slaQqyHQPudOpq2mbDskum8rOu9IMkLGjINAFWwfqr0"
    found = values(
        '{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "d": "' + secret + '"}'
    )
    assert ("private_key", secret) in found


def test_f_a_json_web_key_is_looked_for_near_its_type_only(monkeypatch):
    """With no brace in sight the whole text before was searched again at each place."""
    from consentry.sanitize.secrets import blocks

    looked = []

    class Counted:
        def search(self, text, low, high):
            looked.append(min(high, len(text)) - low)

    monkeypatch.setattr(blocks, "_JWK_FIELD", Counted())
    text = '"kty":"EC",' * 4_000
    for at in range(0, len(text), 11):
        assert list(blocks.jwk(text, at)) == []
    assert len(looked) == 4_000
    assert max(looked) <= 6_000
