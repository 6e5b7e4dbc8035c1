"""Profiles are checked where they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentry.errors import InvalidInput, NotFound
from consentry.sanitize import profiles
from consentry.sanitize.detector import NO_CONTEXT
from consentry.sanitize.engine import Engine
from consentry.sanitize.profiles import DeclaredDetector, ProfileInvalid, with_lists

SHIPPED = ["default", "llm-prompt", "logs", "share-with-vendor", "training-data"]


def test_the_shipped_ones_are_there_and_load() -> None:
    assert set(SHIPPED) <= set(profiles.names())
    for name in SHIPPED:
        profile = profiles.load(name)
        assert profile.plan().step("SECRET").name in ("redact", "replace")
        assert profile.plan().step("SOMETHING_NEW").name == "replace"


@pytest.mark.parametrize(
    ("toml", "where"),
    [
        ("key = 'hunter2-hunter2-hunter2'", "key"),
        ("[default]\ntransform = 'keep'", "default"),
        ("[types.person]\ntransform = 'mask'", "types"),
        ("[types.PERSON]\ntransform = 'vanish'", "types.PERSON.transform"),
        ("[types.PERSON]\nkeep_last = 9", "types.PERSON.keep_last"),
        ("min_score = 2", "min_score"),
        ("colour = 'blue'", "colour"),
        ("[[internal_id]]\nname = 'order'\npattern = '('", "internal_id.0.pattern"),
        ("[[internal_id]]\nname = 'order'\npattern = '(a)?'", "internal_id.0.pattern"),
        ("[vault]\nurl = 'sqlite:v.db'\nkey = 'in the clear'", "vault.key"),
    ],
)
def test_wrong_profiles_name_the_key_and_not_the_value(toml: str, where: str) -> None:
    with pytest.raises(ProfileInvalid) as caught:
        profiles.parse(toml, "t")
    assert f"`{where}" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert "in the clear" not in str(caught.value)


def test_no_toml_is_no_profile() -> None:
    with pytest.raises(ProfileInvalid):
        profiles.parse("= =", "t")


def test_unknown_names_are_told_what_there_is() -> None:
    with pytest.raises(NotFound, match="training-data"):
        profiles.load("no-such")


def test_tokens_without_a_vault_are_refused() -> None:
    with pytest.raises(InvalidInput, match="vault"):
        profiles.parse("[types.PERSON]\ntransform = 'token'", "t").plan()


def test_operators_add_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ours.toml").write_text("[types.PERSON]\ntransform = 'redact'")
    monkeypatch.setenv("CONSENTRY_PROFILES", str(tmp_path))
    assert "ours" in profiles.names()
    assert profiles.load("ours").plan().step("PERSON").name == "redact"
    assert profiles.load(tmp_path / "ours.toml") == profiles.load("ours")


def test_keys_by_reference_make_runs_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    from consentry.sanitize.transforms import About

    monkeypatch.setenv("CONSENTRY_TEST_KEY", "0123456789abcdef0123456789abcdef")
    profile = profiles.parse("key = 'env:CONSENTRY_TEST_KEY'\n[types.PERSON]\ntransform = 'hash'", "t")
    about = About("PERSON")
    assert profile.plan().transform("Ada", about) == profile.plan().transform("Ada", about)
    assert "0123456789abcdef" not in repr(profile.plan())


def test_declared_patterns_and_words_are_found() -> None:
    profile = profiles.parse(
        "[[internal_id]]\nname = 'order'\npattern = 'ORD-\\d{6}'\n[lists]\nallow = ['ORD-000000']\n"
        "deny = [{ value = 'Project Cedar', type = 'ORGANIZATION' }]",
        "t",
    )
    engine = with_lists(Engine([DeclaredDetector(profile)]), profile)
    text = "ORD-123456 and ORD-000000 of project cedar"
    found = [(one.type, one.subtype, text[one.start : one.end]) for one in engine.scan(text)]
    assert found == [("INTERNAL_ID", "order", "ORD-123456"), ("ORGANIZATION", None, "project cedar")]
    assert engine.scan_many([text, ""]) == [engine.scan(text), []]
    assert DeclaredDetector(profile).scan("", NO_CONTEXT) == []


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ("[types.EMIAL_ADDRESS]\ntransform = 'mask'", "is `EMAIL_ADDRESS` meant?"),
        ("[types.PASSPORT_COLOUR]\ntransform = 'mask'", "nothing is of the type `PASSPORT_COLOUR`"),
    ],
)
def test_a_rule_for_a_type_that_nothing_reports_is_refused(body: str, meant: str) -> None:
    with pytest.raises(ProfileInvalid) as refused:
        profiles.parse(body, "t")
    assert meant in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        "[types.US_SSN]\ntransform = 'mask'",
        "[types.XX_NUMBER]\ntransform = 'mask'\n[columns]\nmember = 'XX_NUMBER'",
        "[types.PROJECT]\ntransform = 'redact'\n[lists]\ndeny = [{ value = 'Cedar', type = 'PROJECT' }]",
    ],
)
def test_types_that_are_found_or_declared_have_rules(body: str) -> None:
    assert profiles.parse(body, "t").types


def test_every_type_that_is_found_is_known_by_its_placeholder() -> None:
    from consentry.sanitize.patterns import tables
    from consentry.sanitize.transforms import marks

    for entity in {row.type for row in tables.ALL}:
        text = marks.placeholder(entity)
        assert marks.find_marks(f"a {text} b") == [(2, 2 + len(text))], entity
