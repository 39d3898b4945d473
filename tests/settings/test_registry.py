"""The settings of the schema registry: their sources, the refusal of wrong values, and secrets."""

from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.errors import BadSetting
from kvs_graphql.schemas.connection import registry_limits, registry_of
from kvs_graphql.settings import load_settings
from kvs_graphql.settings.registry import RegistrySettings
from tests.certificates import Certificates

SECRET = "swordfish"  # noqa: S105 - no registry has this password
URL = "http://registry:8081"
SECTION = "KVS_SCHEMA_REGISTRY__"
LIMITS = [name for name, field in RegistrySettings.model_fields.items() if field.annotation in (int, float)]


def refusal(**settings: Any) -> str:
    with pytest.raises(BadSetting) as refused:
        load_settings(schema_registry=settings)
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_variables_win_over_the_section_of_the_file_setting_by_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kvs.toml").write_text(f'[schema_registry]\nurl = "{URL}"\nusername = "ann"\nseconds_max = 1\n')
    (tmp_path / ".env").write_text(f"{SECTION}PASSWORD={SECRET}\n{SECTION}SECONDS_MAX=2\n")
    monkeypatch.setenv(f"{SECTION}USERNAME", "bob")
    settings = load_settings(schema_registry={"seconds_max": "3"})
    connection = registry_of(settings)
    assert connection is not None
    assert (connection.url, connection.username, connection.password) == (URL, "bob", SECRET)
    assert registry_limits(settings).seconds_max == 3


def test_no_registry_is_asked_unless_it_is_set() -> None:
    assert registry_of(load_settings()) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("url", "registry:8081"),
        ("url", "ftp://registry"),
        ("url", "http://"),
        ("url", "http://registry:port"),
        ("url", "http://registry/ö"),
        ("url", f"http://ann:{SECRET}@registry"),
        ("url", f"http://registry?key={SECRET}"),
        ("url", "http://registry\nx"),
        ("token_url", f"http://ann:{SECRET}@server"),
        ("token", f"{SECRET}\n"),
        ("token", ""),
        ("token", ["a"]),
        ("cluster", "ö"),
        ("username", ""),
        ("seconds_max", "soon"),
        ("ca_file", "/nowhere/ca.pem"),
        ("polls_seconds", "1"),
    ],
)
def test_wrong_value_is_one_line_that_names_its_variable_and_shows_no_secret(name: str, value: Any) -> None:
    message = refusal(**{name: value})
    assert message.startswith(f"{SECTION}{name.upper()}")
    assert SECRET not in message


@pytest.mark.parametrize("value", ["x", "[1]", f"{SECRET}", "3"])
def test_section_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("KVS_SCHEMA_REGISTRY", value)
    with pytest.raises(BadSetting, match=r"^KVS_SCHEMA_REGISTRY: must be ") as refused:
        load_settings()
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", ["0", "-1", "none", "nan"])
def test_limit_that_is_not_positive_is_refused(name: str, value: str) -> None:
    assert refusal(**{name: value}).startswith(f"{SECTION}{name.upper()}={value}: ")


@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_may_be_one_and_reaches_the_client(name: str) -> None:
    limits = registry_limits(load_settings(schema_registry={name: 1}))
    assert name == "poll_seconds" or getattr(limits, name) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"username": "ann"}, f"{SECTION}USERNAME needs {SECTION}PASSWORD"),
        ({"password": SECRET}, f"{SECTION}PASSWORD needs {SECTION}USERNAME"),
        (
            {"token_url": "https://tokens.example"},
            f"{SECTION}TOKEN_URL needs {SECTION}CLIENT_ID and {SECTION}CLIENT_SECRET",
        ),
        (
            {"token_url": "http://tokens.example"},
            f"{SECTION}TOKEN_URL: must begin with https://, or be of this machine: a secret is sent there",
        ),
        ({"key_file": "kvs.toml"}, f"{SECTION}KEY_FILE needs {SECTION}CERTIFICATE_FILE"),
        (
            {"username": "ann", "password": SECRET, "token": SECRET},
            f"{SECTION}USERNAME and {SECTION}TOKEN must not be set together",
        ),
        (
            {"token": SECRET, "token_file": "kvs.toml"},
            f"{SECTION}TOKEN and {SECTION}TOKEN_FILE must not be set together",
        ),
        ({"token_file": "nowhere"}, f"{SECTION}TOKEN_FILE=nowhere: no such file or directory"),
    ],
)
def test_settings_that_do_not_go_together_are_one_line(settings: dict[str, str], message: str) -> None:
    assert refusal(**settings) == message


@pytest.mark.parametrize("name", ["password", "token", "client_secret", "key_password"])
def test_secrets_come_from_files_and_never_show(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    others = {
        "password": {"username": "ann"},
        "client_secret": {"token_url": "https://tokens.example", "client_id": "me"},
    }
    given = {"url": URL, f"{name}_file": "secret", **others.get(name, {})}
    settings = load_settings(schema_registry=given)
    secret = getattr(settings.schema_registry, name)
    assert secret.get_secret_value() == SECRET
    shown = [repr(settings), str(settings.model_dump()), settings.model_dump_json(), repr(registry_of(settings))]
    assert SECRET not in "".join(shown)
    assert SECRET not in refusal(**{**given, "url": "x"})


def test_secret_that_looks_like_a_number_or_json_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    for secret in ("12345", "true", "[1]", '"quoted"'):
        monkeypatch.setenv(f"{SECTION}TOKEN", secret)
        token = load_settings().schema_registry.token
        assert token is not None
        assert token.get_secret_value() == secret


def test_client_certificate_is_checked_at_the_start(certificates: Certificates) -> None:
    files = {"certificate_file": certificates.certificate, "key_file": certificates.key}
    assert refusal(**files) == (
        f"{SECTION}CERTIFICATE_FILE={certificates.certificate} with {SECTION}KEY_FILE={certificates.key}: "
        f"the key is encrypted: set {SECTION}KEY_PASSWORD"
    )
    connection = registry_of(
        load_settings(schema_registry={**files, "url": URL, "key_password": certificates.password})
    )
    assert connection is not None
    assert connection.tls is not None


@pytest.mark.parametrize("name", RegistrySettings.model_fields)
def test_every_setting_has_a_description_of_one_line(name: str) -> None:
    description = RegistrySettings.model_fields[name].description or ""
    assert description.endswith(".")
    assert "\n" not in description
