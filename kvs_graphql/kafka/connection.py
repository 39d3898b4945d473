"""How to reach the brokers, and what their errors mean."""

import asyncio
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    RecordTooLargeError,
    UnsupportedCodecError,
)

from kvs_graphql.backoff import check_cancelled
from kvs_graphql.compat.aiokafka_connections import TokenProvider
from kvs_graphql.credentials import ClientTls, Secret

REQUEST_TIMEOUT_MS = 10_000
_START_SECONDS_MAX = 2.0

TRANSIENT = (KafkaError, OSError, TimeoutError)
"""Errors that pass by themselves. The consumer shows them as a state and retries with growing pauses."""

UNREADABLE = (CorruptRecordException, RecordTooLargeError, UnsupportedCodecError)
"""Errors of records that cannot be read. Skipping one silently would make the table differ from the log."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """The brokers' addresses and the credentials to use. `repr` leaves the passwords out."""

    bootstrap_servers: str
    client_id: str = "kvs-graphql"
    rack: str | None = None
    """Where this machine is, to read from a replica there."""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str | None = None
    password: Secret | None = None
    tls: ClientTls | None = None
    """For the protocols with TLS."""
    tokens: TokenProvider | None = None
    """For the mechanism OAUTHBEARER."""

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that every aiokafka client takes.

        Credentials that may be replaced while this runs are given as functions, called for each new connection.
        """
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": self.client_id,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": None if self.password is None else self.password.current,
            "sasl_oauth_token_provider": self.tokens,
            "ssl_context": None if self.tls is None else self.tls.current,
        }


async def start_client(starting: Coroutine[Any, Any, Any]) -> None:
    """Start an aiokafka client.

    A client that is cancelled during its first request forgets the connection without closing it. So on cancellation
    this waits up to two seconds for the start to finish before it passes the cancellation on.
    """
    task = asyncio.ensure_future(starting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_START_SECONDS_MAX)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


async def close_client(closing: Awaitable[Any]) -> None:
    """Close an aiokafka client.

    aiokafka cancels a task of its own, waits for it and goes on, even where the waiting task is cancelled. So this
    looks for a cancellation that was lost, and passes it on.
    """
    await closing
    check_cancelled()
