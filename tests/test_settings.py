"""Settings: their sources, the refusal of wrong values, and secrets."""

import logging
from pathlib import Path
from typing import Any

import pytest

from kvs_graphql.errors import BadSetting
from kvs_graphql.settings import Settings, load_settings, variable
from kvs_graphql.tables.servers import connection_of
from tests.certificates import Certificates

UNITS_AND_COUNTS = {"bytes", "seconds", "keys", "entries", "depth", "aliases", "tokens", "records", "changes", "writes"}
UNITS_AND_COUNTS |= {
    "subscriptions",
    "operations",
    "websockets",
    "updates",
    "deletes",
    "streams",
    "connections",
    "requests",
    "frames",
    "errors",
    "cost",
}
SECRET = "swordfish"  # noqa: S105 - no broker has this password

WRONG = {
    "bootstrap_servers": ["", "host:port", "host:99999", ":9092", ","],
    "topic": ["", "two words", "x" * 250, ".."],
    "port": ["http", "-1", "65536", "80.5"],
    "host": [""],
    "tombstones": ["keep", "DELETE"],
    "graphiql": ["perhaps"],
    "cors_origins": ["pages.example", "https://pages.example/path", "https://ok.example,nonsense"],
    "root_path": ["kvs", "/kvs/", "/", "//kvs", "/a b", "/kvs?x"],
    "cors_headers": ["two words", "x-fine, x:wrong"],
    "forwarded_allow_ips": ["proxy.example", "10.0.0.1/8", "*,10.0.0.0/8"],
    "allowed_hosts": ["https://kvs.example", "kvs.example:8000", "two words", "*.*", "kvs.example,/"],
    "frame_ancestors": ["pages.example", "https://a.example; script-src *", "https://a.example/path", "none"],
    "requests_per_second_max": ["0", "many"],
    "tokens": ["ann", "ann:secret", f"ann:{'A' * 64}", f"a b:{'0' * 64}", f"ann:{'0' * 64},ann:{'1' * 64}"],
    "jwt_issuer": ["", "http://issuer.example", "issuer"],
    "jwt_jwks_url": ["http://issuer.example/keys", "file:///etc/passwd"],
    "jwt_algorithms": ["none", "HS256", "RS256,HS512"],
    "oidc_client_id": [""],
    "oidc_audience": [""],
    "oidc_resource": ["", "kvs", "urn:kvs#part", "https://kvs.example/ x"],
    "oidc_scopes": ["profile", "openid,two words", 'openid,"x"'],
    "log_level": ["loud"],
    "log_format": ["xml"],
    "kafka_security_protocol": ["TLS"],
    "kafka_sasl_mechanism": ["MD5"],
    "kafka_ca_file": ["/nowhere/ca.pem"],
    "kafka_oauth_ca_file": ["/nowhere/ca.pem"],
    "kafka_client_id": ["", "kvs\n", "käse", "x" * 256],
    "kafka_rack": ["", "a\tb"],
    # A file or another service of the network must not be asked in the place of the OAuth server.
    "kafka_oauth_token_url": [
        *("file:///etc/passwd", "http://tokens.example/token", "http://10.0.0.1/", "ftp://localhost/", "localhost:80"),
        *("https://me:secret@tokens.example/", "https://tokens.example/?secret=1", "//tokens.example", "https://"),
    ],
    "query_aliases_max": ["-1", "many"],
}


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the variables and the .env file of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def limits() -> list[str]:
    return [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]


def refusal(**flags: Any) -> str:
    with pytest.raises(BadSetting) as refused:
        load_settings(**flags)
    return str(refused.value)


def test_defaults_match_the_documentation() -> None:
    found = load_settings()
    assert (found.bootstrap_servers, found.topic, found.database) == ("localhost:9092", "kvs-topic", Path("kvs.db"))
    assert (found.host, found.port, found.tombstones) == ("127.0.0.1", 8000, "delete")
    assert (found.page_entries_max, found.keys_per_request_max) == (1_000, 1_000)
    assert found.operations_per_websocket_max >= 100
    assert found.subscriptions_max >= 20_000
    assert found.websockets_max >= 20_000
    assert found.window_changes_max >= 100_000
    assert found.metadata_refresh_seconds <= 30


def test_flags_override_the_environment_which_overrides_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("KVS_TOPIC=file\nKVS_HOST=file\nKVS_PORT=1\nUNRELATED=x\n")
    monkeypatch.setenv("KVS_TOPIC", "environment")
    monkeypatch.setenv("KVS_HOST", "environment")
    found = load_settings(topic="flag")
    assert (found.topic, found.host, found.port) == ("flag", "environment", 1)


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_in_one_line_that_names_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(variable(name), value)
    message = refusal()
    assert variable(name) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("port", "http", "must be a whole number"),
        ("port", "65536", "must be less than or equal to 65535"),
        ("ping_seconds", "soon", "must be a number"),
        ("key_bytes_max", "0", "must be greater than or equal to 1"),
        ("graphiql", "perhaps", "must be true or false"),
        ("host", "", "must not be empty"),
        ("tombstones", "keep", "must be 'delete' or 'empty'"),
        ("topic", "..", "must be a topic name: 1 to 249 letters, digits, '.', '_' or '-'"),
        ("bootstrap_servers", "broker", "'broker' is not host:port"),
        ("kafka_ca_file", "/nowhere/ca.pem", "no such file"),
    ],
)
def test_a_refusal_says_what_is_allowed(name: str, value: str, allowed: str) -> None:
    assert refusal(**{name: value}) == f"{variable(name)}={value}: {allowed}"


@pytest.mark.parametrize("name", limits())
@pytest.mark.parametrize("value", ["none", "-1", "nan"])
def test_a_limit_that_is_negative_or_not_a_number_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(variable(name), value)
    assert refusal().startswith(f"{variable(name)}={value}: ")


@pytest.mark.parametrize("name", sorted(set(limits()) - {"port", "query_aliases_max"}))
def test_a_limit_of_zero_is_refused(name: str) -> None:
    assert refusal(**{name: "0"}).startswith(f"{variable(name)}=0: ")


def test_brokers_know_the_client_by_its_name() -> None:
    assert connection_of(load_settings()).arguments()["client_id"] == "kvs-graphql"
    assert connection_of(load_settings(kafka_client_id="east")).arguments()["client_id"] == "east"


def test_one_line_names_all_wrong_values() -> None:
    message = refusal(port="http", tombstones="keep")
    assert "KVS_PORT=http: " in message
    assert "KVS_TOMBSTONES=keep: " in message
    assert "\n" not in message


def test_a_value_with_line_breaks_is_refused_in_one_line() -> None:
    assert "\n" not in refusal(port="80\n80")


@pytest.mark.parametrize("missing", ["kafka_username", "kafka_password"])
def test_sasl_needs_a_username_and_a_password(missing: str) -> None:
    flags = {"kafka_username": "ann", "kafka_password": SECRET, "kafka_security_protocol": "SASL_SSL"}
    load_settings(**flags)
    del flags[missing]
    message = refusal(**flags)
    assert variable(missing) in message
    assert SECRET not in message


@pytest.mark.parametrize("missing", ["url", "id", "secret"])
def test_tokens_for_kafka_need_a_server_a_client_and_its_secret(missing: str) -> None:
    flags = {
        "kafka_oauth_token_url": "https://tokens.example/token",
        "kafka_oauth_client_id": "kvs",
        "kafka_oauth_client_secret": SECRET,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "OAUTHBEARER",
    }
    found = load_settings(**flags)
    assert SECRET not in repr(found)
    assert connection_of(found).tokens is not None
    message = refusal(**{name: value for name, value in flags.items() if not name.endswith(missing)})
    assert message.startswith("KVS_KAFKA_SECURITY_PROTOCOL=SASL_SSL with KVS_KAFKA_SASL_MECHANISM=OAUTHBEARER needs ")
    assert message.endswith("KVS_KAFKA_OAUTH_CLIENT_SECRET or KVS_KAFKA_OAUTH_CLIENT_SECRET_FILE")
    assert SECRET not in message


@pytest.mark.parametrize("url", ["http://127.0.0.1:80/token", "http://[::1]/token", "http://localhost/token"])
def test_secret_for_tokens_may_be_sent_within_this_machine(url: str) -> None:
    assert load_settings(kafka_oauth_token_url=url).kafka_oauth_token_url == url


def test_signing_in_at_an_issuer_needs_an_issuer_whose_origin_is_plain() -> None:
    assert "KVS_OIDC_CLIENT_ID needs KVS_JWT_ISSUER" in refusal(oidc_client_id="pages")
    assert "KVS_OIDC_AUDIENCE needs KVS_OIDC_CLIENT_ID" in refusal(oidc_audience="kvs")
    assert "KVS_OIDC_RESOURCE needs KVS_OIDC_CLIENT_ID" in refusal(oidc_resource="urn:kvs")
    for issuer in ("https://ann@issuer.example", "https://issuer.example;script-src", "https://issuer.example?x"):
        message = refusal(oidc_client_id="pages", jwt_issuer=issuer, jwt_audience="kvs")
        assert "KVS_JWT_ISSUER must be a URL without user, query and fragment" in message


@pytest.mark.parametrize("given", ["jwt_issuer", "jwt_audience", "jwt_jwks_url", "jwt_jwks_file"])
def test_jwts_need_an_issuer_and_an_audience(tmp_path: Path, given: str) -> None:
    (tmp_path / "keys").touch()
    values = {"jwt_audience": "kvs", "jwt_jwks_file": tmp_path / "keys"}
    message = refusal(**{given: values.get(given, "https://issuer.example")})
    assert "KVS_JWT_ISSUER" in message
    assert "KVS_JWT_AUDIENCE" in message


def test_keys_come_from_one_place_that_is_there(tmp_path: Path) -> None:
    issuer = {"jwt_issuer": "https://issuer.example", "jwt_audience": "kvs"}
    missing = tmp_path / "keys"
    assert refusal(**issuer, jwt_jwks_file=missing) == f"KVS_JWT_JWKS_FILE={missing}: no such file"
    both = refusal(**issuer, jwt_jwks_file=missing, jwt_jwks_url="https://issuer.example/keys")
    assert both == "KVS_JWT_JWKS_URL and KVS_JWT_JWKS_FILE must not be set together"


TOKENS = f"ann:{'0' * 64}"


def grant(**members: Any) -> dict[str, Any]:
    return {"to": ["*"], "verbs": ["read"], **members}


@pytest.mark.parametrize("prefix", ["a/", "tenant/{sub}/", "{org}:{sub}/x/", "a-", "/"])
def test_prefix_that_ends_in_a_separator_is_allowed(prefix: str) -> None:
    assert load_settings(tokens=TOKENS, grants=[grant(prefixes=[prefix])]).grants[0].prefixes == (prefix,)


@pytest.mark.parametrize("prefix", ["", "a", "a/b", "tenant/{sub}", "{sub}x/", "{sub}{org}/", "{}/", "{sub/", "sub}/"])
def test_prefix_that_grants_more_than_it_seems_to_is_refused(prefix: str) -> None:
    message = refusal(tokens=TOKENS, grants=[grant(prefixes=[prefix])])
    assert (
        message
        == f"grants.0.prefixes.0={prefix}: must end in a separator such as /, and have one behind each {{claim}}"
    )


@pytest.mark.parametrize(
    "members",
    [{"to": []}, {"to": ["ann"]}, {"to": ["sub:"]}, {"verbs": []}, {"verbs": ["delete"]}, {"tables": []}, {"x": 1}],
)
def test_grant_to_nobody_or_of_nothing_is_refused_in_one_line(members: dict[str, Any]) -> None:
    message = refusal(tokens=TOKENS, grants=[grant(**members)])
    assert message.startswith("grants.0.")
    assert "\n" not in message


def test_grants_are_of_tables_that_there_are_and_need_principals() -> None:
    assert refusal(grants=[grant()]) == "grants need KVS_TOKENS or KVS_JWT_ISSUER"
    unknown = refusal(tokens=TOKENS, grants=[grant(tables=["orders"])])
    assert unknown == "grants: there is no table 'orders'; * is for all"
    assert load_settings(tokens=TOKENS, tables={"orders": {"topic": "t"}}, grants=[grant(tables=["orders"])]).grants


def test_grants_of_prefixes_are_of_keys_that_have_some() -> None:
    tables = {"orders": {"topic": "t", "key": "long"}, "names": {"topic": "n"}}
    refused = refusal(tokens=TOKENS, tables=tables, grants=[grant(prefixes=["a/"])])
    assert refused == "grants: keys of the table 'orders' are long, which have no prefixes"
    assert load_settings(tokens=TOKENS, tables=tables, grants=[grant(tables=["names"], prefixes=["a/"])]).grants


def test_trusted_documents_alone_need_their_file() -> None:
    assert refusal(trusted_documents_only=True) == "KVS_TRUSTED_DOCUMENTS_ONLY=true needs KVS_TRUSTED_DOCUMENTS_FILE"


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.touch()
    message = refusal(kafka_certificate_file=certificate)
    assert "KVS_KAFKA_CERTIFICATE_FILE" in message
    assert "KVS_KAFKA_KEY_FILE" in message


def test_the_password_is_never_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("KVS_KAFKA_PASSWORD", SECRET)
    found = load_settings()
    assert found.kafka_password is not None
    assert found.kafka_password.get_secret_value() == SECRET
    shown = [repr(found), str(found), str(found.model_dump()), found.model_dump_json(), caplog.text]
    assert SECRET not in "".join(shown)
    assert SECRET not in refusal(port="http") + refusal(kafka_password=[SECRET], kafka_key_password=[SECRET])
    url = f"https://me:{SECRET}@tokens.example/"
    assert SECRET not in refusal(kafka_oauth_client_secret=[SECRET], kafka_oauth_token_url=url)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
@pytest.mark.parametrize("name", ["kafka_password", "kafka_key_password", "kafka_oauth_client_secret"])
def test_secret_comes_from_a_file_without_the_line_break_at_its_end(tmp_path: Path, name: str, ending: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(f" {SECRET}{ending}".encode())
    found = load_settings(**{f"{name}_file": file})
    assert getattr(found, name).get_secret_value() == f" {SECRET}"
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "no such file or directory"),
        (b"", "must hold 1 to 65536 bytes"),
        (b"\n", "must hold 1 to 65536 bytes"),
        (b"x" * 65_537, "must hold 1 to 65536 bytes"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_secret_file_that_holds_no_secret_is_refused(tmp_path: Path, content: bytes | None, cause: str) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    assert refusal(kafka_password_file=file) == f"KVS_KAFKA_PASSWORD_FILE={file}: {cause}"


def test_secret_and_its_file_are_not_set_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text(SECRET)
    monkeypatch.setenv("KVS_KAFKA_PASSWORD", SECRET)
    message = refusal(kafka_password_file=tmp_path / "secret")
    assert message == "KVS_KAFKA_PASSWORD and KVS_KAFKA_PASSWORD_FILE must not be set together"


def certified(certificates: Certificates, key: str = "key", **flags: Any) -> dict[str, Any]:
    """Settings with the client's certificate and one of the files as its key."""
    return {"kafka_certificate_file": certificates.certificate, "kafka_key_file": getattr(certificates, key), **flags}


@pytest.mark.parametrize("given", ["tls_certificate_file", "tls_key_file"])
def test_certificate_and_key_for_clients_are_set_together(certificates: Certificates, given: str) -> None:
    message = "KVS_TLS_CERTIFICATE_FILE and KVS_TLS_KEY_FILE must be set together"
    assert refusal(**{given: certificates.certificate}) == message


def test_key_for_clients_that_cannot_be_used_is_named_with_the_cause(certificates: Certificates) -> None:
    files = {"tls_certificate_file": certificates.certificate, "tls_key_file": certificates.key}
    assert refusal(**files).endswith("the key is encrypted: set KVS_TLS_KEY_PASSWORD")
    assert load_settings(**files, tls_key_password=certificates.password).tls_context is not None
    assert load_settings().tls_context is None


@pytest.mark.parametrize(
    ("key", "flags", "cause"),
    [
        ("key", {}, "the key is encrypted: set KVS_KAFKA_KEY_PASSWORD"),
        ("key", {"kafka_key_password": "wrong"}, "another password than KVS_KAFKA_KEY_PASSWORD"),
        ("other_key", {}, "key values mismatch"),
        ("certificate", {}, "no such PEM certificate or key"),
    ],
)
def test_key_that_cannot_be_used_is_named_with_the_cause(
    certificates: Certificates, key: str, flags: dict[str, Any], cause: str
) -> None:
    message = refusal(**certified(certificates, key, **flags))
    assert message.startswith(f"KVS_KAFKA_CERTIFICATE_FILE={certificates.certificate} with KVS_KAFKA_KEY_FILE=")
    assert message.endswith(cause)
    assert "wrong" not in message


def test_encrypted_key_is_read_with_its_password(certificates: Certificates, tmp_path: Path) -> None:
    load_settings(**certified(certificates, kafka_key_password=certificates.password))
    (tmp_path / "secret").write_text(f"{certificates.password}\n")
    load_settings(**certified(certificates, kafka_key_password_file=tmp_path / "secret"))


def test_settings_are_immutable() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().port = 1


def test_lists_of_origins_and_proxies_are_comma_separated() -> None:
    found = load_settings(
        cors_origins="https://one.example, https://two.example,", forwarded_allow_ips="::1, 10.0.0.0/8"
    )
    assert found.cors_origins == ("https://one.example", "https://two.example")
    assert found.forwarded_allow_ips == ("::1", "10.0.0.0/8")
    assert load_settings(forwarded_allow_ips="*").forwarded_allow_ips == ("*",)
    assert load_settings(forwarded_allow_ips="").forwarded_allow_ips == ()


def test_credentials_are_not_for_pages_of_any_origin() -> None:
    message = refusal(cors_origins="*", cors_credentials=True)
    assert message == "KVS_CORS_CREDENTIALS=true needs KVS_CORS_ORIGINS to name each origin, not *"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_description_of_one_line(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description is not None
    assert description.endswith(".")
    assert "\n" not in description


@pytest.mark.parametrize("name", sorted(set(limits()) - {"port", "reader_connections"}))
def test_the_name_of_every_limit_says_its_unit_or_what_it_counts(name: str) -> None:
    assert UNITS_AND_COUNTS.intersection(name.split("_"))
