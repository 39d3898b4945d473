"""Sends accepted writes to Kafka, one batch at a time per partition, and settles them by the outcome."""

import asyncio
from typing import Any

import structlog

from kvs_graphql.errors import Forbidden, KvsError
from kvs_graphql.kafka.admission import Admission
from kvs_graphql.kafka.connection import KafkaConnection
from kvs_graphql.kafka.partition_queue import PartitionQueue
from kvs_graphql.kafka.pending_write import PendingWrite
from kvs_graphql.kafka.producer_session import (
    TOO_LARGE,
    Acknowledged,
    NotSent,
    ProducerSession,
    Refused,
    Unanswered,
)
from kvs_graphql.kafka.session_pool import CONNECTED_STATES, SessionPool
from kvs_graphql.kafka.write_errors import outcome_unknown, refusal, stopped, unavailable
from kvs_graphql.state import Lifecycle, Moment, State

log = structlog.get_logger(__name__)


class Delivery:
    """A queue and a delivering task per partition, over one session at a time. Releases each write from `admission`."""

    def __init__(
        self,
        connection: KafkaConnection,
        topic: str,
        lifecycle: Lifecycle,
        admission: Admission,
        *,
        retry_seconds_max: float,
    ) -> None:
        self._lifecycle = lifecycle
        self._admission = admission
        self._sessions = SessionPool(connection, topic, retry_seconds_max, self._refuse_queued)
        self._queues: dict[int, PartitionQueue] = {}
        self._unanswered: set[int] = set()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Deliver until cancelled. Call `close` afterwards."""
        self._lifecycle.listen(self._on_moment)
        async with asyncio.TaskGroup() as self._tasks:
            await asyncio.get_running_loop().create_future()

    async def close(self) -> None:
        """Close the connections within a few seconds."""
        await self._sessions.close()

    def enqueue(self, pending: PendingWrite) -> None:
        """Queue a write behind those of its partition. `run` must be running."""
        assert self._tasks is not None
        partition = pending.write.partition
        if partition not in self._queues:
            self._queues[partition] = PartitionQueue()
            self._tasks.create_task(self._deliver_queued(partition))
        self._queues[partition].add(pending)

    def timeout_error(self, pending: PendingWrite) -> KvsError:
        """The error of a write that has no answer when its time is up."""
        if pending.sent:
            return outcome_unknown("Kafka did not answer in time")
        moment = self._lifecycle.moment
        if moment.state not in CONNECTED_STATES:
            reason = moment.reason
        elif pending.write.partition in self._unanswered:
            reason = "Kafka has not answered the writes before this one"
        else:
            reason = self._sessions.failure or "no leader of the partition can be reached"
        return unavailable(reason, moment)

    def _on_moment(self, moment: Moment) -> None:
        self._sessions.on_moment(moment)
        if moment.state is State.STOPPED:
            self._fail_queued(stopped(moment))

    async def _deliver_queued(self, partition: int) -> None:
        queue = self._queues[partition]
        while True:
            await queue.until_filled()
            session = await self._sessions.ready(partition)
            # No await in between: no write's time can run out after it was taken and before it was sent.
            batch, taken = queue.take(session.batch)
            if taken:
                await self._deliver(partition, session, batch, taken)

    async def _deliver(self, partition: int, session: ProducerSession, batch: Any, taken: list[PendingWrite]) -> None:
        for pending in taken:
            pending.sent = True
        self._unanswered.add(partition)
        try:
            self._acknowledge(await session.send(batch, partition), taken)
        except NotSent as reason:
            self._sessions.failure = str(reason)
            self._put_back(partition, taken)
        except Refused as refused:
            if len(taken) > 1 and isinstance(refused.error, TOO_LARGE):
                # The batch may be too large although no record is.
                self._sessions.shrink_batches()
                self._put_back(partition, taken)
            else:
                self._fail(taken, refusal(refused))
        except Unanswered as reason:
            log.warning("writes without an answer", reason=str(reason), writes=len(taken))
            self._fail(taken, outcome_unknown(str(reason)))
        self._unanswered.discard(partition)
        await self._sessions.close_failed()

    def _acknowledge(self, acknowledged: Acknowledged, taken: list[PendingWrite]) -> None:
        for offset, pending in enumerate(taken, start=acknowledged.base_offset):
            self._admission.release(pending)
            pending.succeed(offset, acknowledged.timestamp_ms)

    def _fail(self, failed: list[PendingWrite], error: KvsError) -> None:
        for pending in failed:
            self._admission.release(pending)
            pending.fail(error)

    def _put_back(self, partition: int, taken: list[PendingWrite]) -> None:
        """Queue again what is not in the log, except writes whose writer has gone."""
        for pending in taken:
            pending.sent = False
            if pending.answer.done():
                self._admission.release(pending)
        self._queues[partition].put_back([pending for pending in taken if not pending.answer.done()])
        # The table may have stopped meanwhile.
        self._on_moment(self._lifecycle.moment)

    def _refuse_queued(self, reason: str) -> None:
        self._fail_queued(Forbidden(f"No access to Kafka: {reason}."))

    def _fail_queued(self, error: KvsError) -> None:
        for queue in self._queues.values():
            self._fail([*queue], error)
