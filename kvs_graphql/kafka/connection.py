"""How to reach the brokers, and what their failures mean."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.errors import (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    CorruptRecordException,
    IllegalSaslStateError,
    KafkaError,
    RecordTooLargeError,
    TopicAuthorizationFailedError,
    UnsupportedCodecError,
    UnsupportedSaslMechanismError,
)
from aiokafka.helpers import create_ssl_context

REQUEST_TIMEOUT_MS = 10_000
CLIENT_ID = "kvs-graphql"
_START_SECONDS_MAX = 2.0

TRANSIENT = (KafkaError, OSError, TimeoutError)
"""What passes by itself: caught, shown as a state, and tried again with growing pauses."""

REFUSALS = (
    AuthenticationFailedError,
    ClusterAuthorizationFailedError,
    IllegalSaslStateError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)
"""What does not: somebody has to change a password or a permission."""

UNREADABLE = (CorruptRecordException, RecordTooLargeError, UnsupportedCodecError)
"""Nor does this: skipping a record would make the table another than the log."""


@dataclass(frozen=True, slots=True)
class KafkaConnection:
    """Where the brokers are and who we are to them. `password` is kept out of the representation."""

    bootstrap_servers: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    def arguments(self) -> dict[str, Any]:
        """The arguments that every aiokafka client takes."""
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
        return create_ssl_context(
            cafile=None if self.ca_file is None else str(self.ca_file),
            certfile=None if self.certificate_file is None else str(self.certificate_file),
            keyfile=None if self.key_file is None else str(self.key_file),
        )


async def started(starting: Coroutine[Any, Any, Any]) -> None:
    """Start a client of aiokafka.

    Cancelled while a broker is asked for the first time, aiokafka forgets the connection without closing it: so it
    gets a moment to come to an end before the cancellation goes on.
    """
    task = asyncio.ensure_future(starting)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task], timeout=_START_SECONDS_MAX)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise
