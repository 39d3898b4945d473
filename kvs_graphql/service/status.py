"""How the service is, as one value."""

from dataclasses import dataclass

from kvs_graphql.cursor import Cursor
from kvs_graphql.records import position_in
from kvs_graphql.state import Lifecycle, Moment
from kvs_graphql.store import Sizes


@dataclass(frozen=True, slots=True)
class PartitionStatus:
    """How far one partition is applied."""

    partition: int
    position: int
    end_offset: int
    lag: int
    held_back: int


@dataclass(frozen=True, slots=True)
class Status:
    """How the service was at one snapshot of its table."""

    topic: str
    compacted: bool | None
    ready: bool
    moment: Moment
    entries: int
    cursor: Cursor
    lag: int
    partitions: list[PartitionStatus]
    sizes: Sizes


@dataclass(frozen=True, slots=True)
class Readiness:
    """What a health check needs."""

    ready: bool
    moment: Moment
    lag: int


def status_of(topic: str, lifecycle: Lifecycle, cursor: Cursor, sizes: Sizes, entries: int) -> Status:
    """The status at `cursor`; lag is measured from there to what was last heard of Kafka."""
    lags = lifecycle.lag(cursor.positions)
    partitions = [
        PartitionStatus(
            number,
            position_in(cursor.positions, number),
            end,
            lags[number],
            position_in(lifecycle.held_back, number),
        )
        for number, end in enumerate(lifecycle.end_offsets)
    ]
    return Status(
        topic, lifecycle.compacted, lifecycle.ready, lifecycle.moment, entries, cursor, sum(lags), partitions, sizes
    )
