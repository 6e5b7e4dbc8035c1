"""One spelling for each e-mail address, so that one human cannot become two persons by writing it otherwise (A5)."""

from __future__ import annotations

import re
import unicodedata

from consentry.errors import InvalidInput


class InvalidEmail(InvalidInput):
    """The e-mail address cannot be kept in one spelling."""

    code = "invalid_email"


_LOCAL = re.compile(r"[a-z0-9!#$%&'*/=?^_`{|}~.+-]{1,64}")
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_SAME = {"googlemail.com": "gmail.com"}


def email_key(email: str) -> str:
    """The spelling that counts: compatibility forms and case folded, `+tag` and dots of the local part dropped.

    Dropping them can join two mailboxes of a provider that tells them apart; the other way round one human could
    consent to their own action, so this errs on the side of one person. Raises `InvalidEmail`.
    """
    local, domain = _parts(email)
    base = local.partition("+")[0].replace(".", "")
    if not base:
        raise InvalidEmail("`email` has nothing before its `+` or `@`")
    return f"{base}@{_SAME.get(domain, domain)}"


def email_text(email: str) -> str:
    """The address as it is kept and shown. Raises `InvalidEmail`."""
    return "@".join(_parts(email))


def _parts(email: str) -> tuple[str, str]:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).casefold())
    local, at, domain = folded.rpartition("@")
    if not at or not _LOCAL.fullmatch(local):
        raise InvalidEmail("`email` must be an address like `ada@example.org`, with plain letters before the `@`")
    return local, _domain(domain)


def _domain(domain: str) -> str:
    """The host name in its ASCII form."""
    try:
        text = domain.removesuffix(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise InvalidEmail("`email` has a domain that is not a host name") from None
    if not text or len(text) > 253 or not all(_LABEL.fullmatch(label) for label in text.split(".")):
        raise InvalidEmail("`email` has a domain that is not a host name")
    return text
