"""Every setting: its variable, its unit, its default, what is allowed, and a line of documentation.

Values come from flags of `kvs-graphql serve`, then environment variables prefixed `KVS_`, then a `.env` file. The
last word of a limit's name is its unit, or what it counts.
"""

import ipaddress
import re
import ssl
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from kvs_graphql.errors import BadSetting

PREFIX = "KVS_"

_ORIGIN = re.compile(r"https?://[^/?#@\s]+")

_KIB = 1024
_MIB = 1024 * _KIB

Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """The settings of one service; frozen. Made by `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    # What to serve, and where.
    bootstrap_servers: str = Field("localhost:9092", description="Kafka brokers, as host:port, comma-separated.")
    topic: str = Field(
        "kvs-topic",
        pattern=r"^([A-Za-z0-9_-]|\.[A-Za-z0-9_-]|\.\.[A-Za-z0-9._-])[A-Za-z0-9._-]{0,246}$",
        description="The topic that holds the keys and values.",
    )
    database: Path = Field(Path("kvs.db"), description="The SQLite file that the topic is materialised into.")
    host: str = Field("127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    tombstones: Literal["delete", "empty"] = Field(
        "delete", description="What a record without a value does: delete its key, or store an empty value."
    )
    unreadable: Literal["stop", "skip"] = Field(
        "stop", description="What a record that cannot be read does: stop the service, or be left out and counted."
    )
    graphiql: bool = Field(True, description="Whether browsers get GraphiQL at /graphql.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins of other sites whose pages may use this service, comma-separated."
    )
    forwarded_allow_ips: Annotated[tuple[str, ...], NoDecode] = Field(
        ("127.0.0.1", "::1"),
        description="Proxies whose X-Forwarded-For tells a client's address: IPs, networks or *, comma-separated.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level logged.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Log lines for people or for machines; auto: for people on a terminal."
    )

    # Kafka security.
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to talk to the brokers."
    )
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "PLAIN", description="How to log in to the brokers."
    )
    kafka_username: str | None = Field(None, description="The user to log in as.")
    kafka_password: SecretStr | None = Field(None, description="The user's password; never logged.")
    kafka_ca_file: Path | None = Field(None, description="PEM file of the authorities to trust; the system's if unset.")
    kafka_certificate_file: Path | None = Field(None, description="PEM file of this client's certificate.")
    kafka_key_file: Path | None = Field(None, description="PEM file of this client's private key.")

    # Limits on requests.
    keys_per_request_max: Count = Field(1_000, description="Keys that one request may name, over all its fields.")
    key_bytes_max: Bytes = Field(64 * _KIB, description="Bytes of a key in a request.")
    page_entries_max: Count = Field(1_000, description="Entries on one page of `entries`.")
    request_bytes_max: Bytes = Field(1 * _MIB, description="Bytes of a request's body or of a WebSocket message.")
    request_head_seconds_max: Seconds = Field(10.0, description="Seconds that a request's head may take to arrive.")
    query_depth_max: Count = Field(10, description="Levels of nested fields in a document.")
    query_aliases_max: Annotated[int, Field(ge=0)] = Field(100, description="Aliases in a document.")
    query_tokens_max: Count = Field(2_000, description="Tokens in a document.")
    wait_seconds_max: Seconds = Field(30.0, description="Seconds that `maxWait` may ask for; also its default.")

    # Writes, and limits on them.
    enable_writes: bool = Field(False, description="Whether clients may write: the mutations `set` and `delete`.")
    value_bytes_max: Bytes = Field(1_000_000, description="Bytes of a value in a write, with its headers.")
    write_seconds_max: Seconds = Field(10.0, description="Seconds until a write is answered, one way or the other.")
    writes_in_flight_max: Count = Field(10_000, description="Writes that are not in Kafka yet, over all clients.")
    write_buffer_bytes_max: Bytes = Field(32 * _MIB, description="Bytes of the writes that are not in Kafka yet.")

    # Limits on subscriptions.
    subscriptions_per_socket_max: Count = Field(100, description="Operations open at once on one WebSocket.")
    subscriptions_per_client_max: Count = Field(10_000, description="Subscriptions open at once from one address.")
    subscriptions_max: Count = Field(50_000, description="Subscriptions open at once, over all clients.")
    sockets_max: Count = Field(20_000, description="WebSockets open at once, over all clients.")
    connection_init_seconds_max: Seconds = Field(10.0, description="Seconds a WebSocket has to send connection_init.")
    send_buffer_bytes_max: Bytes = Field(
        64 * _KIB,
        description="Bytes that wait for a client in this process, and as many in the kernel, before sending waits.",
    )
    slow_client_seconds_max: Seconds = Field(
        60.0, description="Seconds that sending may wait for a client before it is cut off."
    )
    ping_seconds: Seconds = Field(20.0, description="Seconds between two pings of a WebSocket or an event stream.")
    pong_seconds_max: Seconds = Field(20.0, description="Seconds a WebSocket has to answer a ping.")
    progress_seconds: Seconds = Field(10.0, description="Seconds between two PROGRESS updates while nothing matches.")
    interval_seconds_min: Seconds = Field(
        0.1, description="Seconds between two pushes of a live query, or of `interval`, at least."
    )
    shared_bytes_max: Bytes = Field(
        8 * _MIB, description="Bytes of encoded updates kept for subscribers that are told the same."
    )
    watch_page_max: Count = Field(500, description="Updates that a subscription takes in hand at once.")
    watch_page_bytes_max: Bytes = Field(
        256 * _KIB, description="Bytes after which a subscription reads no more from the table at once."
    )

    # Limits on what is kept.
    window_changes_max: Count = Field(131_072, description="Recent changes kept in the database for resuming.")
    window_bytes_max: Bytes = Field(256 * _MIB, description="Bytes of the recent changes kept in the database.")
    deletes_max: Count = Field(1_000_000, description="Deletes remembered in the database for resuming.")
    feed_changes_max: Count = Field(65_536, description="Recent changes kept in memory for subscriptions.")
    feed_bytes_max: Bytes = Field(32 * _MIB, description="Bytes of the recent changes kept in memory.")

    # How to read Kafka.
    batch_records_max: Count = Field(50_000, description="Records in one transaction.")
    batch_bytes_max: Bytes = Field(16 * _MIB, description="Bytes after which a transaction takes no more records.")
    fetch_bytes_max: Bytes = Field(8 * _MIB, description="Bytes asked for in one fetch from a broker.")
    reader_connections: Count = Field(3, description="Connections that read the database.")
    topic_check_seconds: Seconds = Field(5.0, description="Seconds between two looks at the topic's metadata.")
    retry_seconds_max: Seconds = Field(15.0, description="The longest pause in seconds before Kafka is tried again.")
    stall_seconds_max: Seconds = Field(
        30.0, description="Seconds without progress, while the topic has more, after which the consumer is rebuilt."
    )
    shutdown_seconds_max: Seconds = Field(5.0, description="Seconds that open requests get to end at shutdown.")

    @field_validator("cors_origins", "forwarded_allow_ips", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(filter(None, map(str.strip, value.split(",")))) if isinstance(value, str) else value

    @field_validator("bootstrap_servers")
    @classmethod
    def _brokers(cls, value: str) -> str:
        for broker in value.split(","):
            host, _, port = broker.strip().rpartition(":")
            if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"{broker!r} is not host:port")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin such as https://example.com")
        return value

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in () if value == ("*",) else value:
            ipaddress.ip_network(network)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Settings that only make sense together."""
        if self.kafka_security_protocol.startswith("SASL") and not (self.kafka_username and self.kafka_password):
            raise ValueError(
                f"KVS_KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol} needs KVS_KAFKA_USERNAME and "
                "KVS_KAFKA_PASSWORD"
            )
        if (self.kafka_certificate_file is None) != (self.kafka_key_file is None):
            raise ValueError("KVS_KAFKA_CERTIFICATE_FILE and KVS_KAFKA_KEY_FILE go together")
        for name in ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file"):
            path: Path | None = getattr(self, name)
            if path is not None and not path.is_file():
                raise ValueError(f"{variable(name)}={path}: there is no such file")
        try:
            context = ssl.create_default_context(cafile=self.kafka_ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"KVS_KAFKA_CA_FILE={self.kafka_ca_file}: {error}") from error
        if self.kafka_certificate_file is not None:
            try:
                context.load_cert_chain(self.kafka_certificate_file, self.kafka_key_file)
            except (OSError, ssl.SSLError) as error:
                files = f"KVS_KAFKA_CERTIFICATE_FILE={self.kafka_certificate_file} with KVS_KAFKA_KEY_FILE"
                raise ValueError(f"{files}={self.kafka_key_file}: {error}") from error
        return self


def load_settings(**flags: Any) -> Settings:
    """The settings of this process; `flags` win over everything else.

    Raises:
        BadSetting: A value is not allowed. The message is one line that names the variable.
    """
    try:
        return Settings(**flags)
    except ValidationError as error:
        raise BadSetting("; ".join(_line(dict(detail)) for detail in error.errors())) from None


def variable(name: str) -> str:
    """The environment variable of a field."""
    return PREFIX + name.upper()


def _line(detail: dict[str, Any]) -> str:
    if not detail["loc"]:
        return str(detail["ctx"]["error"])
    name = str(detail["loc"][0])
    shown = "" if name == "kafka_password" else f"={detail['input']!s}".replace("\n", "\\n")
    return f"{variable(name)}{shown}: {detail['msg'][0].lower()}{detail['msg'][1:]}"
