"""How to reach the brokers, and what their errors mean."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.errors import (
    CorruptRecordException,
    KafkaConnectionError,
    KafkaError,
    RecordTooLargeError,
    UnsupportedCodecError,
)

from kvs_graphql.credentials import tls_context
from kvs_graphql.errors import BadSetting

REQUEST_TIMEOUT_MS = 10_000
CLIENT_ID = "kvs-graphql"
_START_SECONDS_MAX = 2.0

TRANSIENT = (KafkaError, OSError, TimeoutError)
"""Errors that pass by themselves. The consumer shows them as a state and retries with growing pauses."""

UNREADABLE = (CorruptRecordException, RecordTooLargeError, UnsupportedCodecError)
"""Errors of records that cannot be read. Skipping one silently would make the table differ from the log."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """The brokers' addresses and the credentials to use. `repr` leaves the passwords out."""

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: str | None = field(default=None, repr=False)

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that every aiokafka client takes.

        Raises:
            KafkaConnectionError: A certificate or a key cannot be read now; they may be replaced while this runs.
        """
        secure = self.security_protocol in ("SSL", "SASL_SSL")
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": CLIENT_ID,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.username,
            "sasl_plain_password": self.password,
            "ssl_context": self._ssl_context() if secure else None,
        }

    def _ssl_context(self) -> Any:
        try:
            return tls_context(self.ca_file, self.certificate_file, self.key_file, self.key_password)
        except BadSetting as error:
            raise KafkaConnectionError(str(error)) from error


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
