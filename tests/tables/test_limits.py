"""What tables may hold in memory: each as if alone, and all together no more than a few."""

from typing import Any

import pytest

from kvs_graphql.settings import Settings, load_settings
from kvs_graphql.store import CacheLimits
from kvs_graphql.tables.limits import cache_limits, consumer_limits, producer_limits

MIB = 2**20
LEAST = {"fetch": MIB, "batch": MIB, "writes": 2 * MIB, "writer's pages": 8 * MIB, "reader's pages": 2 * MIB}


def settings(tables: int, **others: Any) -> Settings:
    catalog = {f"table{number}": {"topic": f"topic{number}"} for number in range(tables)}
    return load_settings(tables=catalog, **others) if tables else load_settings(**others)


def bytes_of_a_table(settings: Settings) -> dict[str, int]:
    """How many bytes a table may hold, by what it holds."""
    consumer, caches = consumer_limits(settings), cache_limits(settings)
    return {
        "fetch": consumer.fetch_bytes_max,
        "batch": consumer.batch.bytes_max,
        "writes": producer_limits(settings).bytes_max,
        "writer's pages": caches.writer_bytes_max,
        "reader's pages": caches.reader_bytes_max,
    }


@pytest.mark.parametrize("tables", [0, 1, 4])
def test_each_of_few_tables_has_all_that_one_has(tables: int) -> None:
    few, alone = settings(tables), settings(0)
    assert bytes_of_a_table(few) == bytes_of_a_table(alone)
    assert bytes_of_a_table(few)["batch"] == few.batch_bytes_max
    assert cache_limits(few) == CacheLimits()
    assert producer_limits(few).writes_max == few.writes_in_flight_max
    assert consumer_limits(few).batch.records_max == few.batch_records_max


@pytest.mark.parametrize("tables", [5, 16, 100, 400])
def test_many_tables_together_have_what_four_have_or_the_least_that_each_needs(tables: int) -> None:
    alone = bytes_of_a_table(settings(0))
    for what, most in bytes_of_a_table(settings(tables)).items():
        assert most < alone[what]
        assert most * tables <= max(4 * alone[what], 1.02 * LEAST[what] * tables), what
        assert most >= min(LEAST[what], alone[what]), what


def test_no_table_has_more_than_a_setting_allows() -> None:
    tiny = settings(
        100, batch_bytes_max=1, batch_records_max=1, fetch_bytes_max=1, write_buffer_bytes_max=1, writes_in_flight_max=1
    )
    found = bytes_of_a_table(tiny)
    assert [found[what] for what in ("batch", "fetch", "writes")] == [1, 1, 1]
    assert (producer_limits(tiny).writes_max, consumer_limits(tiny).batch.records_max) == (1, 1)


def test_the_largest_value_can_be_written_in_any_catalog() -> None:
    large = settings(100, value_bytes_max=20 * MIB)
    assert producer_limits(large).bytes_max > 20 * MIB


@pytest.mark.parametrize("tables", [0, 1, 2, 5, 50])
def test_all_idle_tables_together_ask_kafka_at_most_20_times_a_second(tables: int) -> None:
    wait_ms = consumer_limits(settings(tables)).batch.idle_wait_ms
    assert max(tables, 1) * 1_000 / wait_ms <= 20
    assert wait_ms == 100 or tables > 2
