"""Where passkeys can be used: the relying party that follows from a server's address."""

from __future__ import annotations

import pytest

from consentry.identity.passkey import PasskeyUnavailable, Site

GOOD = {
    "https://consentry.example.com": ("consentry.example.com", "https://consentry.example.com"),
    "https://Consentry.Example.com:8443": ("consentry.example.com", "https://consentry.example.com:8443"),
    "http://127.0.0.1:7272": ("localhost", "http://localhost:7272"),
    "http://[::1]:7272": ("localhost", "http://localhost:7272"),
    "http://localhost:7272": ("localhost", "http://localhost:7272"),
    "https://127.0.0.1": ("localhost", "https://localhost"),
}
BAD = {
    "http://consentry.example.com": "HTTPS",
    "https://192.0.2.7": "host name",
    "https://[2001:db8::1]": "host name",
    "https://": "host name",
    "https://" + "a" * 130 + ".example": "host name",
    'https://evil".example': "host name",
}


@pytest.mark.parametrize(("address", "site"), GOOD.items())
def test_the_site_of_an_address(address: str, site: tuple[str, str]) -> None:
    found = Site.of(address)
    assert (found.rp, found.origin) == site


@pytest.mark.parametrize(("address", "why"), BAD.items())
def test_an_address_at_which_browsers_refuse(address: str, why: str) -> None:
    with pytest.raises(PasskeyUnavailable, match=why):
        Site.of(address)
