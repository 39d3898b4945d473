"""The limits of what belongs to a table, from the settings."""

import structlog

from kvs_graphql.errors import BadSetting
from kvs_graphql.feed import LogBudget
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.fetch_waits import idle_wait_ms
from kvs_graphql.kafka.ingest import BatchLimits
from kvs_graphql.kafka.producer import ProducerLimits
from kvs_graphql.registry import ClientCredentials, RegistryConnection, RegistryLimits
from kvs_graphql.service import ServiceLimits, WatchLimits
from kvs_graphql.settings import Settings, from_settings, revealed
from kvs_graphql.store import WindowLimits

log = structlog.get_logger(__name__)


def service_limits(settings: Settings) -> ServiceLimits:
    """What one request may ask for, over all tables."""
    return from_settings(
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


def feed_budget(settings: Settings) -> LogBudget:
    """What the feeds of all tables may hold."""
    return LogBudget(changes_max=settings.feed_changes_max, bytes_max=settings.feed_bytes_max)


def window_limits(settings: Settings) -> WindowLimits:
    """What a table keeps for resuming clients."""
    return WindowLimits(settings.window_changes_max, settings.window_bytes_max, settings.remembered_deletes_max)


def producer_limits(settings: Settings) -> ProducerLimits:
    """The limits of a table's writes."""
    return from_settings(
        ProducerLimits,
        settings,
        writes_max=settings.writes_in_flight_max,
        bytes_max=settings.write_buffer_bytes_max,
    )


def consumer_limits(settings: Settings) -> ConsumerLimits:
    """The limits of a table's consumer."""
    waits = idle_wait_ms(len(settings.catalog))
    batch = BatchLimits(settings.batch_records_max, settings.batch_bytes_max, idle_wait_ms=waits)
    return from_settings(ConsumerLimits, settings, batch=batch)


def connection_of(settings: Settings) -> KafkaConnection:
    """How to reach Kafka."""
    return KafkaConnection(
        bootstrap_servers=settings.bootstrap_servers,
        security_protocol=settings.kafka_security_protocol,
        sasl_mechanism=settings.kafka_sasl_mechanism,
        username=settings.kafka_username,
        password=revealed(settings.kafka_password),
        ca_file=settings.kafka_ca_file,
        certificate_file=settings.kafka_certificate_file,
        key_file=settings.kafka_key_file,
        key_password=revealed(settings.kafka_key_password),
    )


def registry_of(settings: Settings) -> RegistryConnection | None:
    """How to reach the schema registry; None where there is none.

    Raises:
        BadSetting: A certificate or a key cannot be read any more.
    """
    own = settings.schema_registry
    if own.url is None:
        return None
    tls = own.tls()

    def renew() -> None:
        try:
            own.renew(tls)
        except BadSetting as error:
            log.warning("the certificates for the schema registry are not read again", reason=str(error))

    return RegistryConnection(
        url=own.url,
        username=own.username,
        password=revealed(own.password),
        token=revealed(own.token),
        credentials=None
        if own.token_url is None
        else ClientCredentials(own.token_url, own.client_id or "", revealed(own.client_secret) or "", own.scope),
        cluster=own.cluster,
        identity_pool=own.identity_pool,
        tls=tls,
        renew_tls=renew,
    )


def registry_limits(settings: Settings) -> RegistryLimits:
    """What is asked of the schema registry, and kept of its answers."""
    own = settings.schema_registry
    return RegistryLimits(
        seconds_max=own.seconds_max,
        schema_bytes_max=own.schema_bytes_max,
        references_max=own.references_max,
        versions_max=own.versions_max,
        cache_bytes_max=own.cache_bytes_max,
        failure_seconds=own.failure_seconds,
        requests_max=own.requests_max,
    )
