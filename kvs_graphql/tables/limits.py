"""The limits of what belongs to a table, from the settings."""

from kvs_graphql.feed import LogBudget
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.fetch_waits import idle_wait_ms
from kvs_graphql.kafka.ingest import BatchLimits
from kvs_graphql.kafka.producer import ProducerLimits
from kvs_graphql.service import ServiceLimits, WatchLimits
from kvs_graphql.settings import Settings, from_settings
from kvs_graphql.store import WindowLimits


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
