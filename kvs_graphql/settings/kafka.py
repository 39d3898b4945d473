"""The settings of connections to Kafka: who asks, and how brokers are known."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings

from kvs_graphql.credentials import check_tls_files
from kvs_graphql.settings.names import variable
from kvs_graphql.settings.secrets import revealed
from kvs_graphql.settings.urls import SecretUrl


def _check_name(value: str) -> str:
    if not value.isascii() or not value.isprintable():
        raise ValueError("must have printable ASCII characters only")
    return value


OAUTH_PREFIX = "KVS_KAFKA_OAUTH_"
_LOGIN = ("kafka_username", "kafka_password")
_OAUTH = ("kafka_oauth_token_url", "kafka_oauth_client_id", "kafka_oauth_client_secret")
"""What the mechanisms need; the secret comes last."""

Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_check_name)]


class KafkaSettings(BaseSettings):
    """A part of `Settings`."""

    kafka_client_id: Name = Field(
        "kvs-graphql", description="Name of this client in the brokers' logs, metrics and quotas."
    )
    kafka_rack: Name | None = Field(
        None,
        description="Rack or zone of this machine, to read from a replica in it; if unset, from the leaders.",
    )
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="Protocol for connections to the brokers."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = Field(
        "PLAIN", description="SASL mechanism for authentication with the brokers."
    )
    kafka_username: str | None = Field(None, description="SASL username.")
    kafka_password: SecretStr | None = Field(None, description="SASL password; never logged.")
    kafka_password_file: Path | None = Field(
        None,
        description="File with the SASL password, which then shows in no list of processes, and may be replaced.",
    )
    kafka_oauth_token_url: SecretUrl | None = Field(
        None,
        description="URL of the OAuth server that gives tokens to this client (client credentials), for OAUTHBEARER.",
    )
    kafka_oauth_client_id: str | None = Field(None, min_length=1, description="This client at that OAuth server.")
    kafka_oauth_client_secret: SecretStr | None = Field(None, description="Its secret; never logged.")
    kafka_oauth_client_secret_file: Path | None = Field(None, description="File with its secret, may be replaced.")
    kafka_oauth_scope: str | None = Field(
        None, min_length=1, description="Scope of the tokens; if unset, the server's default."
    )
    kafka_oauth_ca_file: Path | None = Field(
        None, description="PEM file of authorities trusted for the OAuth server; if unset, the system's."
    )
    kafka_ca_file: Path | None = Field(
        None, description="PEM file of trusted certificate authorities; if unset, the system's."
    )
    kafka_certificate_file: Path | None = Field(None, description="PEM file of this client's certificate.")
    kafka_key_file: Path | None = Field(None, description="PEM file of this client's private key.")
    kafka_key_password: SecretStr | None = Field(
        None, description="Password of an encrypted private key; never logged, and never prompted for."
    )
    kafka_key_password_file: Path | None = Field(None, description="File with the password of the private key.")

    @model_validator(mode="after")
    def _check_kafka(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL"):
            self._check_sasl()
        if (self.kafka_certificate_file is None) != (self.kafka_key_file is None):
            raise ValueError("KVS_KAFKA_CERTIFICATE_FILE and KVS_KAFKA_KEY_FILE must be set together")
        for name in ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file", "kafka_oauth_ca_file"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{variable(name)}={path}: no such file")
        files = self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file
        check_tls_files(*files, revealed(self.kafka_key_password))
        check_tls_files(self.kafka_oauth_ca_file, None, None, None, OAUTH_PREFIX)
        return self

    def _check_sasl(self) -> None:
        needed = _OAUTH if self.kafka_sasl_mechanism == "OAUTHBEARER" else _LOGIN
        if any(not getattr(self, name) for name in needed):
            first = f"KVS_KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}"
            if needed is _OAUTH:
                first += " with KVS_KAFKA_SASL_MECHANISM=OAUTHBEARER"
            *others, secret = map(variable, needed)
            raise ValueError(f"{first} needs {', '.join(others)}, and {secret} or {secret}_FILE")
