"""Validators against published examples and against themselves with one digit changed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consentry.sanitize.checks import arithmetic, dates, europe, money, network, phones, uk, us, world

VALID: list[tuple[Callable[[str], bool | None], str]] = [
    (money.card, "4111111111111111"),
    (money.card, "378282246310005"),
    (money.card, "5555 5555 5555 4444"),
    (money.card, "3530111333300000"),
    (money.iban, "GB82 WEST 1234 5698 7654 32"),
    (money.iban, "DE89370400440532013000"),
    (money.iban, "NO9386011117947"),
    (money.iban, "MT84MALT011000012345MTLCAST001S"),
    (money.base58check, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    (money.base58check, "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy"),
    (money.bech32, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    (money.bech32, "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"),
    (us.routing, "021000021"),
    (us.npi, "1234567893"),
    (us.dea, "BB1388568"),
    (us.vin, "1M8GDM9AXKP042788"),
    (us.itin, "912-70-1234"),
    (uk.nhs, "943 476 5919"),
    (europe.es_nif, "12345678Z"),
    (europe.es_nie, "X1234567L"),
    (europe.it_fiscal_code, "RSSMRA85T10A562S"),
    (europe.it_vat, "07643520567"),
    (europe.pl_pesel, "44051401359"),
    (europe.fi_hetu, "131052-308T"),
    (europe.se_person, "811228-9874"),
    (europe.se_organisation, "556036-0793"),
    (europe.de_tax_id, "86095742719"),
    (europe.de_pension, "15070649C103"),
    (europe.de_health, "A123456780"),
    (europe.de_doctor, "123456601"),
    (europe.de_vat, "DE136695976"),
    (europe.fr_nir, "2 55 08 14 168 025 38"),
    (europe.nl_bsn, "111222333"),
    (europe.be_national, "85.07.30-033.28"),
    (europe.pt_nif, "501964843"),
    (world.au_abn, "51 824 753 556"),
    (world.au_acn, "004 085 616"),
    (world.au_tfn, "123 456 782"),
    (world.au_medicare, "2123 45670 1"),
    (world.ca_sin, "130 692 544"),
    (world.in_aadhaar, "2345 6789 0124"),
    (world.in_gstin, "27AAPFU0939F1ZV"),
    (world.in_pan, "ABCPD1234Z"),
    (world.kr_resident, "960121-1021413"),
    (world.kr_business, "104-86-56659"),
    (world.sg_nric, "S1234567D"),
    (world.sg_uen, "53125226D"),
    (world.th_tnin, "1234567890121"),
    (world.tr_national, "10000000146"),
    (world.za_id, "8001015009087"),
    (world.ph_tin, "000-123-456-000"),
    (world.br_cpf, "529.982.247-25"),
    (world.br_cnpj, "11.222.333/0001-81"),
]
ONE_DIGIT_OFF = {world.in_pan, us.itin, us.vin, europe.it_fiscal_code, europe.de_vat, world.in_gstin, world.kr_resident}
"""Whose formats say something even where the check sign is wrong."""


@pytest.mark.parametrize(("check", "value"), VALID)
def test_a_published_example_is_confirmed(check: Callable[[str], bool | None], value: str) -> None:
    assert check(value) is True


@pytest.mark.parametrize(("check", "value"), [pair for pair in VALID if pair[0] not in ONE_DIGIT_OFF])
def test_one_changed_digit_is_refused(check: Callable[[str], bool | None], value: str) -> None:
    place = next(at for at in range(len(value)) if value[at].isdigit())
    changed = value[:place] + str((int(value[place]) + 1) % 10) + value[place + 1 :]
    assert check(changed) is not True


@pytest.mark.parametrize(
    ("check", "value"),
    [
        (us.ssn, "000-12-3456"), (us.ssn, "666-12-3456"), (us.ssn, "912-12-3456"), (us.ssn, "123-00-4567"),
        (us.ssn, "123-45-0000"), (us.ssn, "078-05-1120"), (money.card, "0000000000000000"),
        (money.card, "1748503543014"), (money.iban, "XX82WEST12345698765432"), (uk.nino, "BG123456A"),
        (uk.postcode, "QA1 1AA"), (uk.driver, "MORGA663054SM9IJ"), (network.mac, "ff:ff:ff:ff:ff:ff"),
        (network.ipv6, "12:34:56"), (network.email, "a..b@example.org"), (network.email, "a@example.nowhere"),
        (network.host, "localhost.notatld"), (dates.year_first, "2021-13-01"), (dates.year_last, "31/02/2021"),
        (dates.compact, "20211301"), (phones.international, "+999 1234567"), (phones.international, "+1 415 555"),
        (phones.grouped, "12-05-2021"), (phones.grouped, "11 11 11 11"), (world.in_aadhaar, "2222 2222 2222"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(check: Callable[[str], bool | None], value: str) -> None:
    assert check(value) is False


@pytest.mark.parametrize(
    ("scheme", "numbers"),
    [(arithmetic.luhn, "79927398713"), (arithmetic.verhoeff, "2363"), (arithmetic.mod_11_10, "07945")],
)
def test_check_digit_schemes_accept_one_digit_only(scheme: Callable[[list[int]], bool], numbers: str) -> None:
    body = arithmetic.digits(numbers)[:-1]
    assert [digit for digit in range(10) if scheme([*body, digit])] == [int(numbers[-1])]
