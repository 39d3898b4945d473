"""The limits of a table's consumer."""

from dataclasses import dataclass

from kvs_graphql.kafka.ingest import BatchLimits


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """The limits of a batch and a fetch, and the times that the consumer goes by, in seconds."""

    batch: BatchLimits
    fetch_bytes_max: int
    metadata_refresh_seconds: float
    """How often the topic's metadata is refreshed."""
    retry_seconds_max: float
    """The longest pause between two attempts."""
    stall_seconds_max: float
    """How long the consumer may make no progress while the topic has more records."""
    clock_difference_seconds_max: float
    """How far this machine's clock may differ from the brokers' clocks."""

    @property
    def clock_difference_ms(self) -> float:
        return self.clock_difference_seconds_max * 1000
