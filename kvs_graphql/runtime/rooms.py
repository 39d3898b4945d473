"""How each room is built from the settings."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from typing import Any, TypeVar, cast

from kvs_graphql.api import build_schema
from kvs_graphql.budget import BudgetLimits
from kvs_graphql.cursor import NO_TOPIC_ID, Cursor
from kvs_graphql.executor import DocumentLimits, Executor, ExecutorLimits
from kvs_graphql.feed import Feed
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer import Consumer, ConsumerLimits
from kvs_graphql.kafka.ingest import BatchLimits
from kvs_graphql.kafka.producer import Producer, ProducerLimits
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime import descriptors
from kvs_graphql.runtime.limits import ServerLimits
from kvs_graphql.runtime.server import Server
from kvs_graphql.service import Service, ServiceLimits, WatchLimits
from kvs_graphql.settings import Settings
from kvs_graphql.state import Lifecycle
from kvs_graphql.store import Store, WindowLimits, open_store
from kvs_graphql.web import ClientAddresses, SlotLimits, WebOptions, build_app

Made = TypeVar("Made")


def opened_store(settings: Settings) -> AbstractAsyncContextManager[Store]:
    """Open the store, for as long as the context is open."""
    window = WindowLimits(settings.window_changes_max, settings.window_bytes_max, settings.remembered_deletes_max)
    return open_store(settings.database, window, readers=settings.reader_connections)


def build_feed(settings: Settings, store: Store) -> Feed:
    """Build a feed that starts at the store's positions."""
    topic_id = NO_TOPIC_ID if store.source is None else store.source.topic_id
    return Feed(
        Cursor(topic_id, store.positions, (), store.epochs),
        changes_max=settings.feed_changes_max,
        bytes_max=settings.feed_bytes_max,
    )


def build_service(settings: Settings, store: Store, feed: Feed, lifecycle: Lifecycle, producer: Producer) -> Service:
    """Build the service that answers requests."""
    limits = _from_settings(
        ServiceLimits,
        settings,
        watch=WatchLimits(
            settings.watch_page_updates_max,
            settings.watch_page_bytes_max,
            settings.progress_seconds,
            arguments_bytes_max=settings.subscription_arguments_bytes_max,
            pages_bytes_max=settings.subscription_pages_bytes_max,
            reads_max=max(1, settings.reader_connections - 1),
        ),
    )
    empty_tombstones = settings.tombstones == "empty"
    return Service(settings.topic, store, feed, lifecycle, limits, producer, empty_tombstones=empty_tombstones)


def build_producer(settings: Settings, lifecycle: Lifecycle, metrics: Metrics) -> Producer:
    """Build the producer that sends writes to Kafka."""
    limits = _from_settings(
        ProducerLimits,
        settings,
        writes_max=settings.writes_in_flight_max,
        bytes_max=settings.write_buffer_bytes_max,
    )
    return Producer(_connection(settings), settings.topic, lifecycle, metrics, limits)


def build_consumer(settings: Settings, store: Store, feed: Feed, lifecycle: Lifecycle, metrics: Metrics) -> Consumer:
    """Build the consumer, the only writer of the store."""
    batch = BatchLimits(settings.batch_records_max, settings.batch_bytes_max)
    limits = _from_settings(ConsumerLimits, settings, batch=batch)
    return Consumer(
        _connection(settings),
        settings.topic,
        store,
        feed,
        lifecycle,
        metrics,
        limits,
        empty_tombstones=settings.tombstones == "empty",
        skip_unreadable=settings.unreadable == "skip",
    )


def build_server(
    settings: Settings, service: Service, metrics: Metrics, on_exit: Callable[[], Awaitable[None]]
) -> Server:
    """Build the HTTP server with the GraphQL schema; it awaits `on_exit` first when it stops.

    Raises:
        BadSetting: The process may open too few files.
    """
    addresses = ClientAddresses(settings.forwarded_allow_ips)
    documents = DocumentLimits(
        bytes_max=settings.document_bytes_max,
        depth_max=settings.query_depth_max,
        aliases_max=settings.query_aliases_max,
        tokens_max=settings.query_tokens_max,
    )
    budgets = _from_settings(
        BudgetLimits, settings, cost_max=settings.query_cost_max, errors_max=settings.errors_per_response_max
    )
    options = _from_settings(
        WebOptions,
        settings,
        heartbeat_seconds=settings.ping_seconds,
        slots=SlotLimits(settings.subscriptions_per_client_max, settings.subscriptions_max),
        addresses=addresses,
    )
    schema = build_schema(writes=settings.enable_writes)
    limits_of_executor = _from_settings(ExecutorLimits, settings, documents=documents, budgets=budgets)
    executor = Executor(schema, limits_of_executor, metrics)
    app: Any = build_app(executor, schema.as_str() + "\n", service, metrics, options)
    return Server(app, _server_limits(settings), metrics, on_exit, addresses=addresses)


def _server_limits(settings: Settings) -> ServerLimits:
    connections_max = descriptors.connections_max(settings)
    return _from_settings(
        ServerLimits,
        settings,
        connections_max=connections_max,
        connections_per_client_max=settings.connections_per_client_max or max(1, connections_max // 4),
        head_bytes_max=settings.request_head_bytes_max,
        head_seconds_max=settings.request_head_seconds_max,
        message_bytes_max=settings.request_bytes_max,
        body_seconds_max=settings.request_body_seconds_max,
    )


def _from_settings(make: Callable[..., Made], settings: Settings, **others: Any) -> Made:
    """Make a dataclass whose fields are the settings of their names; `others` are the fields that differ."""
    names = [field.name for field in fields(cast("Any", make)) if field.name not in others]
    return make(**{name: getattr(settings, name) for name in names}, **others)


def _connection(settings: Settings) -> KafkaConnection:
    password, key_password = settings.kafka_password, settings.kafka_key_password
    return KafkaConnection(
        bootstrap_servers=settings.bootstrap_servers,
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=None if password is None else password.get_secret_value(),
        ca_file=settings.kafka_ca_file,
        certificate_file=settings.kafka_certificate_file,
        key_file=settings.kafka_key_file,
        key_password=None if key_password is None else key_password.get_secret_value(),
    )
