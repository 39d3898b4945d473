"""What the consumer waits for after a session with Kafka failed: shown as a state, and in the log."""

import asyncio
import errno
import os
from collections.abc import Mapping

import structlog

from kvs_graphql.backoff import Backoff, check_cancelled
from kvs_graphql.errors import BrokerRefused, ServiceError, Unwritable
from kvs_graphql.kafka.consumer_session import NoTopic
from kvs_graphql.kafka.failures import failure_of
from kvs_graphql.state import Lifecycle, State

log = structlog.get_logger(__name__)

_FIRST_RETRY_SECONDS = 0.25


class SessionFailures:
    """Waits of one consumer, with pauses that grow until a session succeeds."""

    def __init__(self, bootstrap_servers: str, topic: str, lifecycle: Lifecycle, retry_seconds_max: float) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._topic = topic
        self._lifecycle = lifecycle
        self._backoff = Backoff(_FIRST_RETRY_SECONDS, retry_seconds_max)
        self._attempted = State.CATCHING_UP, ""
        self.rebuilding: str | None = None
        """Why the table has to be rebuilt, from the first attempt to the swap."""

    def begin(self, state: State, reason: str) -> None:
        """Show what a session begins to do.

        If the last one could not write, or was not allowed to read, this one still has to show that it can: until then,
        what is shown stays, and does not change to and fro with each attempt.
        """
        self._attempted = state, reason
        if self._lifecycle.writable and self._lifecycle.permitted:
            self._lifecycle.move(state, reason)

    def note_success(self) -> None:
        """Note that something was read and committed: the next failure is the first of its kind."""
        # A rebuild that fails again and again begins anew each time, and has not succeeded before its end.
        if self.rebuilding is None:
            self._backoff.reset()
        if not (self._lifecycle.writable and self._lifecycle.permitted):
            self._lifecycle.writable = self._lifecycle.permitted = True
            self._lifecycle.move(*self._attempted)

    async def wait(self, error: Exception, unconnected: Mapping[str, Exception]) -> None:
        """Show what the consumer waits for, and wait for a while.

        `unconnected` says, by address, why a client could not connect to brokers.

        Raises:
            BrokerRefused: Kafka refuses a service that has no table yet, and so has nothing to lose by ending.
        """
        if isinstance(error, ServiceError):
            self._show_own(error)
        else:
            self._show_kafkas(error, unconnected)
        await self.pause()

    async def pause(self) -> None:
        """Show in the log what the consumer waits for, and wait."""
        check_cancelled()
        seconds = self._backoff.next_pause()
        log.warning("session failed", reason=self._lifecycle.moment.reason, retry_in_seconds=round(seconds, 3))
        await asyncio.sleep(seconds)

    def _show_own(self, error: ServiceError) -> None:
        self._lifecycle.writable = not isinstance(error, Unwritable)
        shortage = _shortage_of_descriptors()
        if self.rebuilding is not None and (shortage or isinstance(error, Unwritable)):
            self._lifecycle.move(State.REBUILDING, f"{self.rebuilding}; waiting: {shortage or error}")
            return
        state = State.WAITING_FOR_TOPIC if isinstance(error, NoTopic) else State.CATCHING_UP
        self._lifecycle.move(state, str(error))

    def _show_kafkas(self, error: Exception, unconnected: Mapping[str, Exception]) -> None:
        """Show that Kafka is away, or that it refuses: rights that were taken may be given back."""
        self._lifecycle.writable = True
        if (shortage := _shortage_of_descriptors()) is not None:
            rebuilding = self.rebuilding
            state = State.WAITING_FOR_BROKER if rebuilding is None else State.REBUILDING
            named = self._bootstrap_servers if rebuilding is None else f"{rebuilding}; waiting"
            self._lifecycle.move(state, f"{named}: {shortage}")
            return
        failure = failure_of(error, unconnected, self._topic)
        if failure.refused and not (self._lifecycle.was_live or self._lifecycle.held):
            raise BrokerRefused(f"No access to Kafka: {failure.reason}.") from error
        self._lifecycle.permitted = self._lifecycle.permitted and not failure.refused
        named = failure.reason if unconnected else f"{self._bootstrap_servers}: {failure.reason}"
        self._lifecycle.move(State.WAITING_FOR_BROKER, f"no access: {named}" if failure.refused else named)


def _shortage_of_descriptors() -> str | None:
    """Return the system's words if this process can open no more files: aiokafka does not say so."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        return os.strerror(error.errno) if error.errno in {errno.EMFILE, errno.ENFILE} else None
    return None
