"""The log of slow operations, at a bounded rate: clients can have thousands of them wait for Kafka."""

import time
from collections.abc import Callable

import structlog

from kvs_graphql.api import Operation
from kvs_graphql.executor.compiled import Given
from kvs_graphql.executor.documents import PreparedOperation
from kvs_graphql.throttle import Throttle

log = structlog.get_logger(__name__)

_LOG_SECONDS = 1.0
_NAME_CHARACTERS_MAX = 100


class SlowOperations:
    """Logs one of them a second, and how many others there were."""

    def __init__(self, seconds_max: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Operations that take longer than `seconds_max` are slow."""
        self.seconds_max = seconds_max
        self._log = Throttle(_LOG_SECONDS, clock)
        self._unlogged = 0

    def add(self, prepared: PreparedOperation, variables: Given, operation: Operation, seconds: float) -> None:
        """Log an operation that has taken so many seconds."""
        if not self._log.allow():
            self._unlogged += 1
            return
        log.warning(
            "slow operation",
            operation=prepared.name and prepared.name[:_NAME_CHARACTERS_MAX],
            type=prepared.type_name,
            transport=operation.connection.transport,
            seconds=round(seconds, 3),
            cost=prepared.price.of(variables),
            records_read=operation.usage.records,
            bytes_read=operation.usage.size_bytes,
            not_logged=self._unlogged,
        )
        self._unlogged = 0
