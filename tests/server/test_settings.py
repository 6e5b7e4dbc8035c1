"""Settings: file, environment, references, mistakes. The docs list every key."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from consentry.server.secrets import SecretRef, SecretUnavailable
from consentry.server.settings import InvalidSettings, Settings, describe, load

DOCS = Path(__file__).parents[2] / "docs" / "settings.md"


def test_without_anything_it_works(tmp_path) -> None:
    settings = load(data_dir=tmp_path, environ={})
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 7272)
    assert settings.store_url == f"sqlite:///{tmp_path}/consentry.db"
    assert settings.origin == "http://127.0.0.1:7272"
    assert not settings.webhooks


def test_the_docs_list_every_key_with_its_default_and_meaning() -> None:
    text = DOCS.read_text("utf-8")
    for key in describe():
        default = f"`{key.default}`" if key.default else ""
        assert f"| `{key.name}` | {default} | {key.meaning} |" in text, key.name
        assert key.meaning, key.name
    listed = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert listed == {key.name for key in describe()}


def test_the_example_of_the_docs_can_be_read(tmp_path, monkeypatch) -> None:
    example = DOCS.read_text("utf-8").split("```toml\n")[1].split("```")[0]
    tomllib.loads(example)
    (tmp_path / "c.toml").write_text(example, "utf-8")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@localhost/db")
    settings = load(tmp_path / "c.toml", data_dir=tmp_path, environ={})
    assert settings.store_url == "postgresql://u:p@localhost/db"
    assert settings.resources["customers"].columns == {"email": "EMAIL_ADDRESS"}
    assert settings.webhooks[0].events == ("request.*", "breakglass.used")


def test_the_environment_wins_over_the_file_and_the_command_line_over_both(tmp_path) -> None:
    (tmp_path / "c.toml").write_text('[server]\nport = 1\nhost = "::1"\n', "utf-8")
    environ = {"CONSENTRY_SERVER__PORT": "2", "CONSENTRY_URL": "http://x", "CONSENTRY_TOKEN": "t", "OTHER": "x"}
    assert load(tmp_path / "c.toml", environ=environ).server.port == 2
    assert load(tmp_path / "c.toml", environ=environ, overrides={"server.port": 3}).server.port == 3
    assert load(tmp_path / "c.toml", environ=environ).origin == "http://[::1]:2"


def test_lists_and_tables_in_the_environment(tmp_path) -> None:
    environ = {
        "CONSENTRY_SERVER__HOSTS": '["a", "b"]',
        "CONSENTRY_RESOURCES__CRM__KIND": "postgres",
        "CONSENTRY_RESOURCES__CRM__LABELS": '{ env = "prod" }',
        "CONSENTRY_METRICS__PUBLIC": "true",
        "CONSENTRY_DATA": str(tmp_path),
    }
    settings = load(environ=environ)
    assert settings.server.hosts == ("a", "b")
    assert settings.resources["crm"].labels == {"env": "prod"}
    assert settings.metrics.public
    assert settings.data_dir == tmp_path


WRONG = {
    '[servr]\nport = 1': ("`servr`", "`server`"),
    '[server]\nprot = 1': ("`server.prot`", "`server.port`"),
    '[resources.crm]\nkind = "x"\nlables = {}': ("`resources.crm.lables`", "`resources.crm.labels`"),
    '[[webhooks]]\nurl = "https://x"\nsecrets = "env:X"': ("`webhooks[0].secrets`", "`webhooks[0].secret`"),
    '[channels.slack]\nbot = "x"': ("`channels.slack.bot`", "`channels.slack.bot_token`"),
    'data_dir = "/tmp"': ("`data_dir`",),
    '[server]\nport = "x"': ("`server.port`",),
    "[server]\nport = 70000": ("`server.port`",),
    '[server]\ntls_key = "k.pem"': ("`server`", "tls_certificate"),
    '[server]\nurl = "example.com"': ("https://",),
    '[identity]\nlink = "soon"': ("`identity.link`", "`15m`"),
    "[identity]\nlink = 5": ("`identity.link`",),
    '[store]\nurl = "postgresql://u:hunter2@h/db"': ("`store.url`", "`env:NAME`"),
    '[[webhooks]]\nurl = "https://x"\nsecret = "hunter2"': ("secret", "`env:NAME`"),
    '[resources.crm]\nkind = "x"\nupstream = "vault:kv/crm"': ("`vault:`", "`consentry[vault]`"),
    '[resources.crm]\nkind = "x"\nupstream = "aws-sm:crm"': ("`aws-sm:`",),
    "[server": ("TOML", "end of document"),
    'x = "hunter2': ("TOML",),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_a_mistake_is_named_and_no_secret_is(tmp_path, text) -> None:
    (tmp_path / "c.toml").write_text(text, "utf-8")
    with pytest.raises(InvalidSettings) as caught:
        load(tmp_path / "c.toml", data_dir=tmp_path, environ={})
    for part in WRONG[text]:
        assert part in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_is_missing_or_not_text_is_named(tmp_path) -> None:
    with pytest.raises(InvalidSettings, match="does not exist"):
        load(tmp_path / "none.toml", environ={})
    (tmp_path / "c.toml").write_bytes(b"\xff")
    with pytest.raises(InvalidSettings, match="UTF-8"):
        load(tmp_path / "c.toml", environ={})


@pytest.mark.parametrize("name", ["CONSENTRY_SERVR__PORT", "CONSENTRY_SERVER__PROT", "CONSENTRY_SERVER__PORT__X"])
def test_a_mistake_in_the_environment_is_named(name) -> None:
    with pytest.raises(InvalidSettings):
        load(environ={name: "1"})


def test_references_are_read_late_and_never_shown(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2")
    reference = SecretRef("env:A_SECRET")
    assert reference.reveal() == "hunter2"
    assert "hunter2" not in repr(reference)
    (tmp_path / "s").write_text("hunter3\n", "utf-8")
    assert SecretRef(f"file:{tmp_path}/s").reveal() == "hunter3"
    for lost in ("env:NOT_SET_ANYWHERE", f"file:{tmp_path}/none"):
        with pytest.raises(SecretUnavailable):
            SecretRef(lost).reveal()
    (tmp_path / "empty").write_text("", "utf-8")
    with pytest.raises(SecretUnavailable):
        SecretRef(f"file:{tmp_path}/empty").reveal()


def test_the_printed_settings_hold_no_secret(monkeypatch) -> None:
    monkeypatch.setenv("A_SECRET", "hunter2")
    settings = Settings.model_validate({"webhooks": [{"url": "https://x", "secret": "env:A_SECRET"}]})
    assert "hunter2" not in repr(settings) + str(settings.model_dump())
