"""docs/sign-in.md shows settings that can be loaded, and addresses that exist."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest
from pydantic import ValidationError

from consentry.server.settings import Settings, load
from consentry.server.settings_sign_in import OidcSettings, WorkloadSettings
from consentry.server.signing_in import provider, workload

DOC = Path(__file__).parents[2] / "docs" / "sign-in.md"
TEXT = DOC.read_text("utf-8")
EXAMPLES = [textwrap.dedent(text) for text in re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)]
SPIFFE = {"trust_domain": "x.example", "keys": "k", "audience": "a", "agent": "g"}
CI = {"issuer": "https://ci.example", "audience": "a", "agent": "g"}
CORP = {"issuer": "https://id.example", "client_id": "c"}


def _load(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "c.toml").write_text(text, "utf-8")
    return load(tmp_path / "c.toml", data_dir=tmp_path, environ={})


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_each_example_can_be_loaded(tmp_path, number) -> None:
    identity = _load(tmp_path, EXAMPLES[number]).identity
    assert identity.oidc or identity.workload
    for name, one in identity.oidc.items():
        assert provider(name, one).source == f"oidc:{name}"
    for name, rule in identity.workload.items():
        assert workload(name, rule).claims


def test_there_are_examples_of_each_platform() -> None:
    assert len(EXAMPLES) == 8
    for word in (
        "okta.com",
        "microsoftonline",
        "accounts.google.com",
        "actions.githubusercontent",
        "kubernetes",
        "spiffe",
    ):
        assert word in "".join(EXAMPLES)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": "id.example"},
        {"client_id": ""},
        {"scopes": ["email"]},
        {"invite_only": False},
        {"groups": {"a": "b"}},
        {"groups_prefix": "x-"},
        {"groups_claim": "g", "groups": {"a": "NOT A GROUP"}},
        {"client_secret": "in the clear"},
        {"email_verified": "never"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_provider_that_cannot_be_is_refused(change) -> None:
    with pytest.raises(ValidationError):
        OidcSettings.model_validate({**CORP, **change})


@pytest.mark.parametrize(
    "settings",
    [
        {**CI, "claims": {}},
        {**CI, "claims": {"sub": "**"}},
        {**CI, "claims": {"sub": "*", "ref": "**"}},
        {**CI, "claims": {"sub": "x"}, "audience": ""},
        {**CI, "claims": {"sub": "x"}, "trust_domain": "y"},
        {**SPIFFE, "claims": {"sub": "x"}, "keys": None},
        {"audience": "a", "agent": "g", "claims": {"sub": "x"}},
    ],
    ids=["no claims", "anything", "anything twice", "no audience", "both", "no keys", "neither"],
)
def test_a_workload_rule_that_cannot_be_is_refused(settings) -> None:
    with pytest.raises(ValidationError):
        WorkloadSettings.model_validate(settings)


@pytest.mark.parametrize("name", ["Corp", "a/b", "a b", "", "x" * 33, "-a"])
def test_a_name_that_cannot_stand_in_an_address_is_refused(name) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"identity": {"oidc": {name: CORP}}})
