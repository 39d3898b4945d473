"""Every setting: its variable, unit, default, allowed values and one line of documentation.

Flags of `kvs-graphql serve` win over environment variables prefixed `KVS_`, which win over a `.env` file, which wins
over `kvs.toml`. The name of a limit says its unit or what it counts, and ends in `_max` or `_min`.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from kvs_graphql.settings.access import AccessSettings, split
from kvs_graphql.settings.formats import FORMAT_FIELDS, TypedSettings
from kvs_graphql.settings.grants import check_grants
from kvs_graphql.settings.kafka import KafkaSettings
from kvs_graphql.settings.names import PREFIX, variable
from kvs_graphql.settings.secrets import with_secrets
from kvs_graphql.settings.sources import ConfigFile, Variables, WithoutTopics
from kvs_graphql.settings.tables import (
    TableSettings,
    Tombstones,
    Topic,
    Unreadable,
    alias_of,
    check_formats,
    check_names,
)

_ORIGIN = re.compile(r"https?://[^/?#@\s]+")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")

_KIB = 1024
_URL_BYTES_PARSED_MAX = 2**16 - 1
_MIB = 1024 * _KIB

DEFAULT_CONNECTIONS_MAX = 25_000
_DEFAULT_DIRECTORY = Path("kvs")

Count = Annotated[int, Field(ge=1)]
Bytes = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]


SECRETS = ("kafka_password", "kafka_key_password", "kafka_oauth_client_secret", "tls_key_password")


class Settings(AccessSettings, TypedSettings, KafkaSettings):
    """The settings of one service, frozen. Use `load_settings` to make one."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_nested_delimiter="__",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    # What to serve, and where.
    bootstrap_servers: str = Field("localhost:9092", description="Kafka brokers, as host:port, comma-separated.")
    topic: Topic = Field("kvs-topic", description="Kafka topic to serve, as the only table.")
    tables: dict[str, TableSettings] = Field({}, description="Tables to serve instead, by name.")
    database: Path = Field(
        Path("kvs.db"),
        description="SQLite file that holds the table; with tables, a directory with a file for each (`kvs`).",
    )
    host: str = Field("127.0.0.1", min_length=1, description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    root_path: str = Field(
        "", description="Path prefix that a proxy in front passes on, such as /kvs; a proxy that strips it needs none."
    )
    tombstones: Tombstones = Field(
        "delete", description="Effect of a record without a value: delete its key, or store an empty value."
    )
    unreadable: Unreadable = Field(
        "stop", description="What to do with a record that cannot be read: stop its table, or skip and count it."
    )
    graphiql: bool = Field(True, description="Serve GraphiQL to browsers at /graphql.")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins of other sites whose pages may use this service, comma-separated."
    )
    cors_headers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Further request headers that pages of those sites may send, comma-separated; * for any."
    )
    cors_credentials: bool = Field(
        False, description="Let pages of those sites send cookies and other credentials, for a proxy that checks them."
    )
    forwarded_allow_ips: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="X-Forwarded-For is trusted only from these proxies: IPs, networks or *, comma-separated.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Minimum log level.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="Log format; auto means console on a terminal and JSON elsewhere."
    )

    # Limits on requests.
    keys_per_request_max: Count = Field(1_000, description="Maximum keys in one request, over all its fields.")
    key_bytes_max: Bytes = Field(64 * _KIB, description="Maximum bytes of a key in a request.")
    page_entries_max: Count = Field(1_000, description="Maximum entries on one page of `entries`.")
    counted_entries_max: Count = Field(
        10_000, description="Maximum entries that the `totalCount`s of one request count; null beyond."
    )
    read_bytes_max: Bytes = Field(
        8 * _MIB,
        description="Maximum bytes read for one request: pages and histories end early, `values` is refused.",
    )
    json_bytes_max: Bytes = Field(
        1 * _MIB,
        description="Maximum bytes of a value that is parsed as JSON; from 32 KiB on, it may have about 1,000 levels.",
    )
    cursor_bytes_max: Bytes = Field(64 * _KIB, description="Maximum bytes of a cursor in a request.")
    request_bytes_max: Bytes = Field(1 * _MIB, description="Maximum bytes of a request body or WebSocket message.")
    url_bytes_max: Bytes = Field(
        _URL_BYTES_PARSED_MAX,
        le=_URL_BYTES_PARSED_MAX,
        description="Maximum bytes of a request's URL; more cannot be parsed than by default.",
    )
    request_head_bytes_max: Bytes = Field(
        64 * _KIB, description="Maximum bytes of a request's header fields, and 32 for each."
    )
    request_head_seconds_max: Seconds = Field(10.0, description="Maximum seconds for a request's head to arrive.")
    request_body_seconds_max: Seconds = Field(
        30.0, description="Maximum seconds for a request's body or a WebSocket message to arrive."
    )
    document_bytes_max: Bytes = Field(
        64 * _KIB, description="Maximum bytes of a document; its variables are not counted."
    )
    query_depth_max: Count = Field(10, description="Maximum depth of nested fields in a document.")
    query_aliases_max: Annotated[int, Field(ge=0)] = Field(100, description="Maximum aliases in a document.")
    query_tokens_max: Count = Field(2_000, description="Maximum tokens in a document.")
    query_cost_max: Count = Field(
        100_000, description="Maximum cost of an operation: of the fields it selects, times the items of lists."
    )
    response_bytes_max: Bytes = Field(32 * _MIB, description="Maximum bytes of a response, or of one event.")
    errors_per_response_max: Count = Field(1_000, description="Maximum errors in one response.")
    execution_seconds_max: Seconds = Field(
        10.0, description="Maximum seconds for which a large operation is executed, or waits for others."
    )
    slow_operation_seconds: Seconds = Field(
        1.0, description="Seconds of execution after which an operation is logged as slow, with its cost."
    )
    large_operations_max: Count = Field(
        2, description="Maximum large operations executed at once; others wait for their turn."
    )
    wait_seconds_max: Seconds = Field(30.0, description="Maximum, and default, of `maxWait` in seconds.")

    # Writes, and limits on them.
    enable_writes: bool = Field(False, description="Enable the mutations `set` and `delete`.")
    value_bytes_max: Bytes = Field(1_000_000, description="Maximum bytes of a written value, including its headers.")
    write_seconds_max: Seconds = Field(
        10.0, description="Maximum seconds until a write is answered, whatever its outcome."
    )
    writes_in_flight_max: Count = Field(
        10_000, description="Maximum writes that Kafka has not acknowledged yet, over all clients."
    )
    write_buffer_bytes_max: Bytes = Field(
        32 * _MIB, description="Maximum bytes of writes that Kafka has not acknowledged yet."
    )

    # Limits on connections.
    connections_max: Count | None = Field(
        None,
        description="Maximum open connections, over all clients; if unset, "
        f"{DEFAULT_CONNECTIONS_MAX}, or as many as there are file descriptors for.",
    )
    connections_per_client_max: Count | None = Field(
        None, description="Maximum open connections from one address; if unset, a quarter of all."
    )
    unread_bytes_max: Bytes = Field(
        128 * _MIB, description="Maximum bytes of answers that clients are slow to read, over all connections."
    )
    unfinished_bytes_max: Bytes = Field(
        64 * _MIB, description="Maximum bytes of requests and messages that have arrived in part, over all connections."
    )
    control_frames_per_second_max: Count = Field(
        100, description="Maximum pings and pongs from one WebSocket within a second."
    )

    # Limits on subscriptions.
    operations_per_websocket_max: Count = Field(100, description="Maximum open operations on one WebSocket.")
    subscriptions_per_client_max: Count = Field(10_000, description="Maximum open subscriptions from one address.")
    subscriptions_max: Count = Field(50_000, description="Maximum open subscriptions, over all clients.")
    websockets_max: Count = Field(20_000, description="Maximum open WebSockets, over all clients.")
    operations_per_reserved_stream_max: Count = Field(
        100, description="Maximum open operations on one event stream in graphql-sse's single connection mode."
    )
    reserved_streams_per_client_max: Count = Field(
        5_000, description="Maximum event streams that one address has reserved or opened in that mode."
    )
    reserved_streams_max: Count = Field(
        20_000, description="Maximum event streams reserved or open in that mode, over all clients."
    )
    reservation_seconds_max: Seconds = Field(
        10.0, description="Maximum seconds until an event stream that was reserved in that mode is opened."
    )
    connection_init_seconds_max: Seconds = Field(
        10.0, description="Maximum seconds until a new WebSocket sends connection_init."
    )
    send_buffer_bytes_max: Bytes = Field(
        64 * _KIB,
        description="Maximum bytes buffered per connection in this process, and again in the kernel.",
    )
    slow_client_seconds_max: Seconds = Field(
        60.0, description="Seconds after which a client that reads nothing is disconnected."
    )
    ping_seconds: Seconds = Field(20.0, description="Seconds between pings on a WebSocket or event stream.")
    pong_seconds_max: Seconds = Field(20.0, description="Maximum seconds for a WebSocket client to answer a ping.")
    progress_seconds: Seconds = Field(10.0, description="Seconds between PROGRESS updates while nothing matches.")
    interval_seconds_min: Seconds = Field(
        0.1, description="Minimum seconds between two results of a live query, and minimum of `interval`."
    )
    render_cache_bytes_max: Bytes = Field(
        8 * _MIB, description="Maximum bytes of encoded updates cached for sharing among subscribers."
    )
    watch_page_updates_max: Count = Field(500, description="Maximum updates that a subscription reads at a time.")
    watch_page_bytes_max: Bytes = Field(
        256 * _KIB, description="Bytes after which a subscription's read from the table ends."
    )

    subscription_pages_bytes_max: Bytes = Field(
        64 * _MIB, description="Maximum bytes that subscriptions read ahead of their clients, over all clients."
    )
    subscription_arguments_bytes_max: Bytes = Field(
        128 * _MIB,
        description="Maximum bytes that open subscriptions keep of their keys, cursors and documents, over all.",
    )

    # Limits on what is kept.
    window_changes_max: Count = Field(
        131_072, description="Maximum recent changes kept in the database for resuming clients."
    )
    window_bytes_max: Bytes = Field(256 * _MIB, description="Maximum bytes of recent changes kept in the database.")
    remembered_deletes_max: Count = Field(
        1_000_000, description="Maximum deletes remembered in the database for resuming clients."
    )
    feed_changes_max: Count = Field(
        65_536, description="Maximum recent changes kept in memory for subscriptions, over all tables."
    )
    feed_bytes_max: Bytes = Field(32 * _MIB, description="Maximum bytes of memory for recent changes, over all tables.")

    # How to read Kafka.
    batch_records_max: Count = Field(50_000, description="Maximum records in one transaction.")
    batch_bytes_max: Bytes = Field(16 * _MIB, description="Bytes after which a transaction takes no more records.")
    fetch_bytes_max: Bytes = Field(8 * _MIB, description="Maximum bytes requested in one fetch from a broker.")
    reader_connections: Count = Field(
        3, description="Read-only connections to the database; from 3 on, long reads leave one free for short ones."
    )
    metadata_refresh_seconds: Seconds = Field(5.0, description="Seconds between refreshes of the topic's metadata.")
    retry_seconds_max: Seconds = Field(15.0, description="Maximum seconds between attempts to reach Kafka.")
    stall_seconds_max: Seconds = Field(
        30.0, description="Seconds without progress, while records are waiting, after which the consumer is restarted."
    )
    clock_difference_seconds_max: Seconds = Field(
        60.0, description="Maximum seconds by which this machine's clock may differ from the brokers' clocks."
    )
    shutdown_seconds_max: Seconds = Field(
        5.0, description="Seconds at shutdown for pending writes, and again for open requests, to finish."
    )

    @field_validator("cors_origins", "cors_headers", "forwarded_allow_ips", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return split(value)

    @field_validator("tables")
    @classmethod
    def _check_tables(cls, value: dict[str, TableSettings]) -> dict[str, TableSettings]:
        check_names(value)
        return value

    @field_validator("bootstrap_servers")
    @classmethod
    def _check_brokers(cls, value: str) -> str:
        for broker in value.split(","):
            host, _, port = broker.strip().rpartition(":")
            if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"{broker!r} is not host:port")
        return value

    @field_validator("cors_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin such as https://example.com")
        return value

    @field_validator("root_path")
    @classmethod
    def _check_root_path(cls, value: str) -> str:
        if not _ROOT_PATH.fullmatch(value):
            raise ValueError("must be a path such as /kvs, without a slash at its end")
        return value

    @field_validator("cors_headers")
    @classmethod
    def _check_headers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not _HEADER.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a header")
        return value

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in () if value == ("*",) else value:
            ipaddress.ip_network(network)
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_secrets(cls, values: dict[str, Any]) -> dict[str, Any]:
        return with_secrets(values, SECRETS, variable)

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        """Check what depends on several settings, or on files."""
        for name in ("topic", "enable_writes", *FORMAT_FIELDS) if self.tables else ():
            if name in self.model_fields_set:
                raise ValueError(f"{variable(name)} is for a service of one topic: with tables, each has its own")
        if self.grants and not self.asks_for_tokens:
            raise ValueError("grants need KVS_TOKENS or KVS_JWT_ISSUER")
        check_grants(self.grants, {name: own.key.format for name, own in self._tables.items()})
        if self.cors_credentials and "*" in self.cors_origins:
            raise ValueError("KVS_CORS_CREDENTIALS=true needs KVS_CORS_ORIGINS to name each origin, not *")
        check_formats(self._tables, has_registry=self.schema_registry.url is not None)
        return self

    @property
    def catalog(self) -> dict[str, TableSettings]:
        """The tables by name: those of the configuration, or the only one, without a name."""
        defaults = {"tombstones": self.tombstones, "unreadable": self.unreadable}
        return {
            name: table.model_copy(
                update={key: value for key, value in defaults.items() if getattr(table, key) is None}
            )
            for name, table in self._tables.items()
        }

    @property
    def _tables(self) -> dict[str, TableSettings]:
        if self.tables:
            return self.tables
        formats = {alias_of(name): getattr(self, name) for name in FORMAT_FIELDS}
        return {"": TableSettings(topic=self.topic, writes=self.enable_writes, **formats)}

    def database_of(self, table: str) -> Path:
        """The file of the table with that name, which may be empty."""
        if not table:
            return self.database
        directory = self.database if "database" in self.model_fields_set else _DEFAULT_DIRECTORY
        return directory / f"{table}.db"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - part of the signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, variables, `.env`, `kvs.toml`; earlier wins."""
        config = ConfigFile(settings_cls)
        if "tables" in init_settings():
            return (init_settings, *map(WithoutTopics, (env_settings, dotenv_settings, config)))
        variables = [Variables(source, config.tables) for source in (env_settings, dotenv_settings)]
        return (init_settings, *variables, config)
