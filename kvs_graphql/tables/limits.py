"""The limits of what belongs to a table, from the settings.

A setting of a table's memory (batches, fetches, writes that Kafka has not acknowledged, pages of its file) holds for
each of up to four tables. More of them share what four may hold, in equal parts: so the memory of all together is
bounded, and a table in trouble takes nothing from another one.
"""

from kvs_graphql.feed import LogBudget
from kvs_graphql.kafka.consumer_limits import ConsumerLimits
from kvs_graphql.kafka.fetch_waits import idle_wait_ms
from kvs_graphql.kafka.ingest import BatchLimits
from kvs_graphql.kafka.producer import ProducerLimits
from kvs_graphql.service import ServiceLimits, WatchLimits
from kvs_graphql.settings import Settings, from_settings
from kvs_graphql.store import CacheLimits, WindowLimits, share_of

_TABLES_WITH_ALL = 4
_MIB = 2**20
_WRITES_LEAST = 100
_BATCH_RECORDS_LEAST = 5_000


def part_of(settings: Settings, limit: int, *, least: int) -> int:
    """What a table has of a limit on its memory; never more than the limit, and otherwise at least `least`."""
    return min(limit, max(least, _TABLES_WITH_ALL * limit // len(settings.catalog)))


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
            reads_max=share_of(settings.reader_connections),
        ),
    )


def feed_budget(settings: Settings) -> LogBudget:
    """What the feeds of all tables may hold."""
    return LogBudget(changes_max=settings.feed_changes_max, bytes_max=settings.feed_bytes_max)


def window_limits(settings: Settings) -> WindowLimits:
    """What a table keeps for resuming clients."""
    return WindowLimits(settings.window_changes_max, settings.window_bytes_max, settings.remembered_deletes_max)


def cache_limits(settings: Settings) -> CacheLimits:
    """How much of a table's file its connections may keep in memory."""
    alone = CacheLimits()
    return CacheLimits(
        part_of(settings, alone.writer_bytes_max, least=8 * _MIB),
        part_of(settings, alone.reader_bytes_max, least=2 * _MIB),
    )


def producer_limits(settings: Settings) -> ProducerLimits:
    """The limits of a table's writes."""
    # The largest write that is allowed must fit in.
    least = max(_MIB, 2 * (settings.value_bytes_max + settings.key_bytes_max))
    return from_settings(
        ProducerLimits,
        settings,
        writes_max=part_of(settings, settings.writes_in_flight_max, least=_WRITES_LEAST),
        bytes_max=part_of(settings, settings.write_buffer_bytes_max, least=least),
    )


def consumer_limits(settings: Settings) -> ConsumerLimits:
    """The limits of a table's consumer."""
    batch = BatchLimits(
        part_of(settings, settings.batch_records_max, least=_BATCH_RECORDS_LEAST),
        part_of(settings, settings.batch_bytes_max, least=_MIB),
        idle_wait_ms=idle_wait_ms(len(settings.catalog)),
    )
    fetch_bytes_max = part_of(settings, settings.fetch_bytes_max, least=_MIB)
    return from_settings(ConsumerLimits, settings, batch=batch, fetch_bytes_max=fetch_bytes_max)
