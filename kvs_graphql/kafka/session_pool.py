"""Opens the producer session in use, replaces it when it fails, and closes the failed ones."""

import asyncio
from collections.abc import Callable

import structlog

from kvs_graphql.backoff import Backoff, check_cancelled
from kvs_graphql.compat.aiokafka_connections import unconnected
from kvs_graphql.kafka.connection import TRANSIENT, KafkaConnection
from kvs_graphql.kafka.failures import Failure, failure_of
from kvs_graphql.kafka.producer_session import ProducerSession
from kvs_graphql.state import Moment, State

log = structlog.get_logger(__name__)

CONNECTED_STATES = (State.CATCHING_UP, State.LIVE, State.REBUILDING)
"""The states in which the consumer talks to Kafka, so that the producer may."""

_BATCH_BYTES_MAX = 64 * 1024
_FIRST_RETRY_SECONDS = 0.05
_LEADER_RETRY_SECONDS_MAX = 1.0


class SessionPool:
    """The producer sessions of one topic: one in use, and failed ones that still wait for answers.

    `on_refused` is called with the reason each time Kafka refuses a new session.
    """

    def __init__(
        self, connection: KafkaConnection, topic: str, retry_seconds_max: float, on_refused: Callable[[str], None]
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._retry_seconds_max = retry_seconds_max
        self._on_refused = on_refused
        self._backoff = Backoff(_FIRST_RETRY_SECONDS, retry_seconds_max)
        self._batch_bytes_max = _BATCH_BYTES_MAX
        self._connected = asyncio.Event()
        self._opening = asyncio.Lock()
        self._current: ProducerSession | None = None
        self._sessions: set[ProducerSession] = set()
        self.failure = ""
        """Why the last session could not be opened or used; empty if it could."""

    def on_moment(self, moment: Moment) -> None:
        """Hand out sessions only while the consumer is connected to Kafka."""
        if moment.state in CONNECTED_STATES:
            self._connected.set()
        else:
            self._connected.clear()

    async def ready(self, partition: int) -> ProducerSession:
        """Wait for a session that is connected to the partition's leader."""
        backoff = Backoff(_FIRST_RETRY_SECONDS, min(_LEADER_RETRY_SECONDS_MAX, self._retry_seconds_max))
        while True:
            await self._connected.wait()
            session = await self._open_session()
            if await session.ready(partition) and not session.failed and self._connected.is_set():
                return session
            await asyncio.sleep(backoff.next_pause())

    def shrink_batches(self) -> None:
        """Halve the size of the batches of later sessions."""
        self._batch_bytes_max = max(1, self._batch_bytes_max // 2)

    async def close_failed(self) -> None:
        """Close the failed sessions whose batches all have an outcome."""
        for session in [s for s in self._sessions if s.failed and not s.in_use]:
            self._sessions.discard(session)
            await session.close()

    async def close(self) -> None:
        """Close all sessions within a few seconds."""
        await asyncio.gather(*(session.close() for session in self._sessions))

    async def _open_session(self) -> ProducerSession:
        async with self._opening:
            while self._current is None or self._current.failed:
                self._current = await self._try_to_open()
                check_cancelled()
                if self._current is None:
                    await asyncio.sleep(self._backoff.next_pause())
            self._backoff.reset()
            return self._current

    async def _try_to_open(self) -> ProducerSession | None:
        session = None
        with unconnected() as failures:
            try:
                session = ProducerSession(self._connection, self._topic, batch_bytes_max=self._batch_bytes_max)
                self._sessions.add(session)
                await session.open()
            except TRANSIENT as error:
                if session is not None:
                    self._sessions.discard(session)
                    await session.close()
                self._note(failure_of(error, failures, self._topic))
                return None
        self.failure = ""
        return session

    def _note(self, failure: Failure) -> None:
        self.failure = failure.reason
        log.warning("producer session failed to open", reason=self.failure)
        if failure.refused:
            self._on_refused(self.failure)
