"""Tokens with a shape of their own. Values are put together here, so that no scanner takes this file for a leak."""

from __future__ import annotations

import base64
import json

import pytest

HEX40 = "8f14e45fceea167a5a36dedd4bea2543c2d9b1e7"
MIXED36 = "aB3dE6gH9jK2mN5pQ8rS1tU4vW7xY0zC3bF6"
MIXED = "Zx81kQw7Lm02Vb93Tn64Rc58Yp17Hs26Jd49Gf35"


def jwt(header: object, payload: object) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in (header, payload)]
    return ".".join([*parts, "c2lnbmF0dXJlLWJ5dGVz"])


CASES = [
    ("github_token", "ghp_" + MIXED36),
    ("github_token", "ghs_" + MIXED36),
    ("gitlab_token", "glpat-" + MIXED[:20]),
    ("aws_access_key", "AKIA" + "Q7RZ2MXN4WTP6YVK"),
    ("google_api_key", "AIza" + MIXED[:35]),
    ("google_oauth_secret", "GOCSPX-" + MIXED[:28]),
    ("slack_token", "xoxb-" + "2345678901-2345678902-" + MIXED[:24]),
    ("stripe_key", "sk_live_" + MIXED[:24]),
    ("npm_token", "npm_" + MIXED36),
    ("sendgrid_key", "SG." + MIXED[:22] + "." + MIXED),
    ("anthropic_key", "sk-ant-api03-" + MIXED * 2 + "AAAAAAAAAAAAA"),
    ("openai_key", "sk-proj-" + MIXED + "T3BlbkFJ" + MIXED[:20]),
    ("huggingface_token", "hf_" + "QwErTyUiOpAsDfGhJkLzXcVbNmQaZwSxEd"),
    ("digitalocean_token", "dop_v1_" + HEX40 + HEX40[:24]),
    ("databricks_token", "dapi" + HEX40[:32]),
    ("telegram_token", "5123489076:AA" + MIXED[:33]),
    ("twilio_key", "SK" + HEX40[:32]),
    ("shopify_token", "shpat_" + HEX40[:32]),
    ("vault_token", "hvs." + MIXED),
    ("azure_client_secret", "a1b" + "8Q~" + MIXED[:34]),
    ("jwt", jwt({"alg": "HS256", "typ": "JWT"}, {"sub": "42"})),
    ("docker_token", "dckr_pat_" + MIXED[:27]),
    ("mailgun_key", "key-" + HEX40[:32]),
    ("atlassian_token", base64.b64encode(b"926607655526:" + bytes(range(100, 120))).decode()),
]


@pytest.mark.parametrize(("subtype", "token"), CASES)
@pytest.mark.parametrize("around", ["{}", "run --with {} now", '"{}"', "url/{}/part", "\n{}\n"])
def test_a_token_is_found_whole(values, subtype, token, around):
    assert (subtype, token) in values(around.format(token))


@pytest.mark.parametrize(("subtype", "token"), CASES)
def test_a_token_inside_a_longer_word_is_none(values, subtype, token):
    assert not any(found == subtype for found, _ in values(f"abc{token}"))


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7" + "EXAMPLE",
        "ghp_" + "x" * 36,
        "sk_live_" + "0" * 24,
        "AKIA" + "1234567890ABCDEF",
        "glpat-" + "your-token-goes-here",
        "hf_" + "a" * 34,
        "eyJhbGciOiJIUzI1NiJ9.not-json-at-all.c2lnbmF0dXJl",
        jwt({"typ": "JWT"}, {"sub": "1"}),
        jwt(["alg"], {"sub": "1"}),
        "SK" + "a" * 32,
    ],
)
def test_examples_runs_and_undecodable_headers_are_none(scan, text):
    assert scan(text) == []


def test_an_age_key_needs_its_checksum(values):
    letters = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
    body = (letters * 2)[:52]

    def polymod(numbers):
        check = 1
        for number in numbers:
            top, check = check >> 25, (check & 0x1FFFFFF) << 5 ^ number
            for bit, factor in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
                check ^= factor if top >> bit & 1 else 0
        return check

    prefix = "age-secret-key-"
    expanded = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    check = polymod(expanded + [letters.index(c) for c in body] + [0] * 6) ^ 1
    key = (prefix + "1" + body + "".join(letters[check >> 5 * (5 - i) & 31] for i in range(6))).upper()
    assert ("age_key", key) in values(key)
    wrong = key[:-1] + ("Q" if key[-1] != "Q" else "P")
    assert not values(wrong)


def test_the_secret_half_beside_a_key_id_is_found(values):
    secret = "k9Xz/Lq2Wm8+Rt5Yb3Nc7Vd1Hf6Js4Gp0QeUaZoT"
    text = f"client(AKIAQ7RZ2MXN4WTP6YVK, {secret})"
    assert ("aws_secret_key", secret) in values(text)
