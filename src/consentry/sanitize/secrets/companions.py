"""What the rest of the text says about a value: the secret half of a key pair, values that are sealed already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from consentry.sanitize.finding import Finding
from consentry.sanitize.secrets import noise

NEAR: Final = 240
"""Characters on either side of a key id in which its secret half is looked for."""

_SECRET_HALF: Final = {
    "aws_access_key": ("aws_secret_key", re.compile(r"(?<![A-Za-z0-9/+=_.\-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_\-])")),
    "alibaba_access_key": (
        "alibaba_secret_key",
        re.compile(r"(?<![A-Za-z0-9/+=_.\-])[A-Za-z0-9]{30}(?![A-Za-z0-9/+=_\-])"),
    ),
    "tencent_secret_id": (
        "tencent_secret_key",
        re.compile(r"(?<![A-Za-z0-9/+=_.\-])[A-Za-z0-9]{32}(?![A-Za-z0-9/+=_\-])"),
    ),
}
_SEALED: Final = re.compile(r"kind[\"']?:\s{0,4}[\"']?SealedSecret\b|\bsops[\"']?:\s|\$ANSIBLE_VAULT;")
_SEALED_MARKS: Final = ("SealedSecret", "sops", "$ANSIBLE_VAULT")
_SEALED_FORM: Final = re.compile(r"A[gQ][A-Za-z0-9+/=]{200,}|ENC\[")


def beside(text: str, key: Finding) -> Iterator[Finding]:
    """The secret halves near a key id: of the right length, with the entropy of random characters."""
    if key.subtype not in _SECRET_HALF:
        return
    subtype, pattern = _SECRET_HALF[key.subtype]
    for found in pattern.finditer(text, max(0, key.start - NEAR), key.end + NEAR):
        value = found[0]
        if noise.entropy(value) > 3.9 and noise.has_digit_and_letter(value) and not noise.is_placeholder(value):
            reason = f"is a random value beside a {key.subtype.replace('_', ' ')}"
            yield Finding(key.type, found.start(), found.end(), 0.9, key.detector, reason, subtype)


def is_sealed(text: str) -> bool:
    """Whether the text is a file of values sealed for a cluster, for SOPS or for Ansible."""
    return any(mark in text for mark in _SEALED_MARKS) and _SEALED.search(text) is not None


def is_sealed_value(text: str, one: Finding) -> bool:
    """Whether the finding is ciphertext as such files hold it, and so no secret by itself."""
    return _SEALED_FORM.match(text, one.start, one.end) is not None
