"""Values under telling names, in the notations of code, configuration, markup and shells."""

from __future__ import annotations

import pytest

from consentry.sanitize.detector import Context

VALUE = "q7Zp2kVx9Lw"

FOUND = [
    'password = "{}"',
    "password: {}",
    "DB_PASSWORD={}",
    "export PGPASSWORD='{}'",
    '"password": "{}"',
    "'passwd' => '{}',",
    'val password: String = "{}"',
    'def connect(passwd: str = "{}"):',
    'if password != "{}":',
    "my_pw := `{}`",
    '#define PASSWORD "{}"',
    "<password>{}</password>",
    "<add key='db' /><password type='text'>{}</password>",
    'define("DB_PASSWORD", "{}");',
    'password = os.environ.get("PASSWORD") or "{}"',
    "mysql -u root --password {}",
    "curl -u admin:{} https://host.example",
    "sshpass -p {} ssh host",
    "CREATE USER app IDENTIFIED BY '{}';",
    "ALTER ROLE app WITH PASSWORD '{}';",
    "postgres://app:{}@db.internal:5432/main",
    "machine host.example login me password {}",
    "Server=db;User Id=sa;Password={};",
    "client_secret: {}4Qy8",
    "API_TOKEN={}4Qy8Rt5",
    "https://host.example/cb?access_token={}4Qy8&x=1",
    "my password is {}",
    "비밀번호: {}",
    "пароль: {}",
]


@pytest.mark.parametrize("form", FOUND)
def test_a_value_under_a_telling_name_is_found(scan, form):
    text = form.replace("{}", VALUE)
    at = text.index(VALUE)
    assert any(one.start <= at and one.end >= at + len(VALUE) and one.start >= at - 1 for one in scan(text)), scan(text)


WHOLE = [
    ("password: ", "aHVudGVyMmh1bnRlcjI="),
    ("kind: Secret\ndata:\n  password: ", "czNjcmV0UDRzc3cwcmQ="),
    ("DEBUG=1\nDB_PASSWORD=", "Tr0ub4dor&3xyz"),
    ("DB_PASSWORD=", "ab$c&d#e!2024"),
    ("DB_PASSWORD=", "Sup3r;S3cret;x"),
    ("export DB_PASS=", "p@ss,w0rd,123"),
    ("MYSQL_PWD=", "correcthorse"),
    ("password=", "Tr0ub4dor&3xyz"),
    ("Passwort: ", "Sommer2024!"),
    ("mot de passe: ", "Ete2024!"),
    ("wachtwoord: ", "Zomer2024!"),
    ("my password: ", "Sunshine99"),
]


AFTER = [
    (before, value, after)
    for before, value in WHOLE
    for after in ("", "\nPORT=8080", " # set by hand\n")
    if "=" in before or "#" not in after  # comments are of environment files
]


@pytest.mark.parametrize(("before", "value", "after"), AFTER)
def test_a_value_is_found_to_its_last_character(scan, before, value, after):
    found = scan(before + value + after)
    assert [(one.start, one.end) for one in found] == [(len(before), len(before) + len(value))]


@pytest.mark.parametrize("query", ["password=Tr0ub4dor&next=1", "?pwd=Tr0ub4dor&amp;x=2", "password=Tr0ub4dor&"])
def test_a_parameter_ends_where_the_next_begins(scan, query):
    at = query.index("Tr0ub4dor")
    assert [(one.start, one.end) for one in scan(query)] == [(at, at + 9)]


SILENT = [
    "PASSWORD=$OTHER_PASSWORD",
    "PASSWORD=${OTHER}",
    "PASSWORD=changeme",
    "PASSWORD=",
    "password: Optional[str] = None",
    "password = ${DB_PASSWORD}",
    'password = "<your password>"',
    "password: changeme",
    "password = getpass.getpass()",
    "password = request.form.password",
    "token = self.next_token",
    'password_file = "/run/secrets/db9"',
    "password: ********",
    "keyboard: Qwertz105",
    "monkey = Banana42",
    "bypass = 'cackle9!'",
    "author = 'Kowalski77'",
    "primary_key = 'customer_id_2'",
    '"key": "attached_file_0"',
    "passengers: 1234 people",
    "the key is under the mat, the password is forgotten",
    "Enter token: this is a query parameter",
    "token_type: Bearer",
    "sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "id = 6fa459ea-ee8a-3ca4-894e-db77e160355e",
    "password = os.environ['PASSWORD']",
    "secret: !Ref DatabaseSecret",
    "password: {{ vault_db_password }}",
    "const token = await getToken();",
    "api_version = 2",
    "ALTER USER 'u'@'h' PASSWORD EXPIRE INTERVAL 90 DAY;",
]


@pytest.mark.parametrize("text", SILENT)
def test_placeholders_variables_and_words_are_silent(scan, text):
    assert scan(text) == []


def test_sealed_values_are_no_secrets(scan):
    sealed = "Ag" + "A3efuxQHUQ58YFsWHvDhu9H7HnD9TYC99632x5B50vXyItx" * 6
    assert scan(f"kind: SealedSecret\nspec:\n  encryptedData:\n    PASSWORD: {sealed}\n") == []


def test_a_cell_under_a_telling_column_is_found(scan):
    found = scan("q7Zp2kVx9Lw", Context(key="api_token", value=True))
    assert [(one.start, one.end, one.subtype) for one in found] == [(0, 11, "token")]
    assert scan("q7Zp2kVx9Lw", Context(key="order", value=True)) == []


def test_a_reason_never_quotes_the_value(scan):
    for form in FOUND:
        assert all(VALUE not in one.reason for one in scan(form.replace("{}", VALUE)))
