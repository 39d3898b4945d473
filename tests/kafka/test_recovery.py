"""When a table goes on from its positions, and when it has to be rebuilt."""

import pytest

from kvs_graphql.cursor import NO_TOPIC_ID
from kvs_graphql.errors import TopicMismatch
from kvs_graphql.kafka.clock import Ago
from kvs_graphql.kafka.recovery import (
    LogBounds,
    all_deletes_written_since_ms,
    first_positions,
    missed_deletes_reason,
    rebuild_reason,
    unknown_deletes_reason,
)
from kvs_graphql.kafka.topic import TopicConfiguration, TopicIdentity
from kvs_graphql.store import Source

ID, OTHER_ID = b"1" * 16, b"2" * 16
CAUGHT_UP_AT_MS = 1_000_000
CLOCK_DIFFERENCE_MS = 5_000


def source(topic_id: bytes = ID) -> Source:
    return Source("topic", topic_id, CAUGHT_UP_AT_MS)


def reason(
    positions: tuple[int, ...], start: tuple[int, ...], end: tuple[int, ...], held: bytes = ID, found: bytes = ID
) -> str | None:
    identity = TopicIdentity(found, len(end))
    return rebuild_reason(source(held), positions, "topic", identity, LogBounds(start, end))


@pytest.mark.parametrize(
    ("positions", "start", "end"),
    [
        ((5, 5), (0, 0), (9, 9)),
        ((9, 9), (0, 0), (9, 9)),
        ((5, 5), (5, 5), (9, 9)),
        ((0, 5), (3, 0), (9, 9)),
        ((5,), (0, 7), (9, 9)),
    ],
    ids=["inside", "at the end", "at the start", "nothing read yet", "a new partition"],
)
def test_table_goes_on_from_positions_inside_the_log(
    positions: tuple[int, ...], start: tuple[int, ...], end: tuple[int, ...]
) -> None:
    assert reason(positions, start, end) is None


def test_log_that_ends_before_the_position_needs_a_rebuild() -> None:
    found = reason((5, 10), (0, 0), (9, 9))
    assert found == "partition 1 ends at offset 9, before the table's position 10"


def test_log_that_starts_past_the_position_needs_a_rebuild() -> None:
    found = reason((5, 5), (6, 0), (9, 9))
    assert found == "partition 0 starts at offset 6, past the table's position 5"


def test_partition_that_is_gone_needs_a_rebuild() -> None:
    assert reason((5, 5), (0,), (9,)) is not None


def test_other_topic_id_needs_a_rebuild() -> None:
    assert "created again" in (reason((5,), (0,), (9,), found=OTHER_ID) or "")


@pytest.mark.parametrize(("held", "found"), [(NO_TOPIC_ID, ID), (ID, NO_TOPIC_ID), (NO_TOPIC_ID, NO_TOPIC_ID)])
def test_unknown_topic_id_is_no_reason(held: bytes, found: bytes) -> None:
    assert reason((5,), (0,), (9,), held, found) is None


def test_topic_of_another_name_is_an_operators_mistake() -> None:
    with pytest.raises(TopicMismatch, match="KVS_DATABASE"):
        rebuild_reason(source(), (5,), "other", TopicIdentity(ID, 1), LogBounds((0,), (9,)))


def ago(milliseconds: float) -> Ago:
    """Return a time that this process has measured itself."""
    return Ago(milliseconds, is_certain=True)


def by_day(milliseconds: float) -> Ago:
    """Return a time of which only the time of day is known."""
    return Ago(milliseconds, is_certain=False)


def test_deletes_are_missed_only_after_their_retention() -> None:
    compacted = TopicConfiguration(compacted=True, delete_retention_ms=60_000)
    assert missed_deletes_reason(compacted, ago(60_000), CLOCK_DIFFERENCE_MS) is None
    found = missed_deletes_reason(compacted, ago(61_000), CLOCK_DIFFERENCE_MS)
    assert found == "the table last caught up 61 s ago, and the topic keeps tombstones for 60 s"


def test_clock_may_have_been_set_back_while_the_service_was_down() -> None:
    compacted = TopicConfiguration(compacted=True, delete_retention_ms=60_000)
    assert missed_deletes_reason(compacted, by_day(55_000), CLOCK_DIFFERENCE_MS) is None
    assert missed_deletes_reason(compacted, by_day(55_001), CLOCK_DIFFERENCE_MS) is not None
    brief = TopicConfiguration(compacted=True, delete_retention_ms=500)
    assert missed_deletes_reason(brief, by_day(250), CLOCK_DIFFERENCE_MS) is None
    assert missed_deletes_reason(brief, by_day(251), CLOCK_DIFFERENCE_MS) is not None


def test_time_in_the_future_is_distrusted_beyond_the_difference_of_clocks() -> None:
    compacted = TopicConfiguration(compacted=True, delete_retention_ms=60_000)
    assert missed_deletes_reason(compacted, by_day(-CLOCK_DIFFERENCE_MS), CLOCK_DIFFERENCE_MS) is None
    found = missed_deletes_reason(compacted, by_day(-6_000), CLOCK_DIFFERENCE_MS)
    assert found is not None
    assert found.startswith("the table last caught up 6 s in the future by this machine's clock")
    brief = TopicConfiguration(compacted=True, delete_retention_ms=500)
    assert missed_deletes_reason(brief, by_day(-251), CLOCK_DIFFERENCE_MS) is not None


def test_topic_that_is_not_compacted_drops_no_deletes() -> None:
    kept = TopicConfiguration(compacted=False, delete_retention_ms=60_000)
    assert missed_deletes_reason(kept, ago(10**9), CLOCK_DIFFERENCE_MS) is None
    assert missed_deletes_reason(kept, by_day(-(10**9)), CLOCK_DIFFERENCE_MS) is None


def test_deletes_of_a_first_read_are_known_whatever_producers_clocks_said() -> None:
    def since_ms(timestamps_ahead_ms_max: int | None, read_until_ms: int = 200_000) -> int | None:
        configuration = TopicConfiguration(True, 60_000, timestamps_ahead_ms_max)
        return all_deletes_written_since_ms(configuration, read_until_ms, CLOCK_DIFFERENCE_MS)

    assert since_ms(0) == 140_000 + CLOCK_DIFFERENCE_MS
    assert since_ms(3_000) == 143_000 + CLOCK_DIFFERENCE_MS
    assert since_ms(None) is None, "a broker that accepts any timestamp proves nothing by them"
    assert since_ms(0, read_until_ms=1_000) == 0, "Kafka knows no times before 1970"


def test_reading_starts_at_the_positions_or_the_start_of_the_log() -> None:
    assert first_positions((5, 0), LogBounds((1, 3, 4), (9, 9, 9))) == (5, 3, 4)


UNKNOWN = TopicConfiguration(compacted=None, delete_retention_ms=None)
BOUNDS = LogBounds((0, 0), (9, 9))


def test_table_that_was_away_is_rebuilt_if_nobody_knows_how_long_tombstones_are_kept() -> None:
    away = ago(60_001), CLOCK_DIFFERENCE_MS
    found = unknown_deletes_reason(UNKNOWN, (9, 8), BOUNDS, *away)
    assert found == "the table last caught up 60 s ago, and how long the topic keeps tombstones is unknown"
    assert unknown_deletes_reason(UNKNOWN, (9, 9), BOUNDS, *away) is None, "nothing was written"
    assert unknown_deletes_reason(UNKNOWN, (9, 8), BOUNDS, ago(60_000), CLOCK_DIFFERENCE_MS) is None, (
        "a lost connection"
    )
    assert unknown_deletes_reason(UNKNOWN, (9, 8), BOUNDS, by_day(-60_000), CLOCK_DIFFERENCE_MS) is not None, (
        "a wrong clock"
    )


def test_table_that_keeps_reading_is_not_rebuilt_again_and_again() -> None:
    assert missed_deletes_reason(UNKNOWN, ago(10**9), CLOCK_DIFFERENCE_MS) is None


@pytest.mark.parametrize("known", [TopicConfiguration(True, 60_000), TopicConfiguration(False, None)])
def test_table_of_a_known_topic_is_judged_by_what_is_known(known: TopicConfiguration) -> None:
    assert unknown_deletes_reason(known, (0, 0), BOUNDS, ago(10**9), CLOCK_DIFFERENCE_MS) is None
