"""How aiokafka's clients connect: what they authenticate with, for how long that holds, and why it fails.

aiokafka reads its credentials once, takes a token that the broker refuses for one that it accepts, and ignores for how
long a broker accepts an authentication (KIP-368): the broker then cuts the connection in the midst of its use. So the
connections here are of a class of our own. `tests/compat/test_aiokafka_connections.py` checks it against the installed
version.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

import aiokafka.client
from aiokafka import AIOKafkaClient
from aiokafka.abc import AbstractTokenProvider
from aiokafka.client import ConnectionGroup
from aiokafka.conn import AIOKafkaConnection, CloseReason, OAuthAuthenticator
from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError, KafkaError, SaslAuthenticationFailed
from aiokafka.protocol.admin import (
    SaslAuthenticateRequest_v0,
    SaslAuthenticateRequest_v1,
    SaslAuthenticateResponse_v0,
    SaslAuthenticateResponse_v1,
)

_READ_EACH_TIME = ("sasl_plain_password", "ssl_context")
_MARGIN = 0.15
_MARGIN_SECONDS = 10.0
_MARGIN_MAX = 0.5
_JITTER = 0.1
_MARGIN_PER_RETRY = 0.1
_LIFETIME_SURE = 0.95
_TLS_END_SECONDS_MAX = 0.5
_CLOSE_SECONDS_MAX = 1.0
_END_OF_ERROR = b"\x01"


class TokenRejected(SaslAuthenticationFailed):
    """The broker does not accept the token."""


class TokenProvider(AbstractTokenProvider):
    """Gives the tokens of the mechanism OAUTHBEARER."""

    def refused(self) -> None:
        """Note that a broker refused the last token: the next one has to be another."""
        raise NotImplementedError


_closing = WeakSet[asyncio.Future[None]]()
_unconnected: ContextVar[dict[str, Exception] | None] = ContextVar("unconnected", default=None)


@contextmanager
def unconnected() -> Iterator[dict[str, Exception]]:
    """Collect why clients of this context and its tasks cannot connect to brokers, by address.

    A broker that can be connected to again is removed. aiokafka only logs these errors, and then raises one that says
    that there is no connection.
    """
    found: dict[str, Exception] = {}
    token = _unconnected.set(found)
    try:
        yield found
    finally:
        _unconnected.reset(token)


async def until_closed() -> None:
    """Wait until connections that are being closed in this event loop are closed, but no longer than a second.

    `AIOKafkaClient.close` waits for those in use only: not for the one that it started with, nor for those that failed.
    """
    loop = asyncio.get_running_loop()
    if closing := [closed for closed in _closing if closed.get_loop() is loop]:
        await asyncio.wait(closing, timeout=_CLOSE_SECONDS_MAX)


async def _create_connection(host: str, port: int, **options: Any) -> AIOKafkaConnection:
    found = _unconnected.get()
    address = f"{host}:{port}"
    try:
        connection = await _connect(host, port, options)
    except (KafkaError, OSError, TimeoutError) as error:
        if found is not None:
            found[address] = error
        raise
    except (AssertionError, ValueError) as error:
        # A host name or an answer that is not allowed: aiokafka passes such errors on.
        failure = KafkaConnectionError(f"{address} cannot be connected to")
        failure.__cause__ = error
        if found is not None:
            found[address] = failure
        raise failure from error
    if found is not None:
        found.pop(address, None)
    return connection


async def _connect(host: str, port: int, options: dict[str, Any]) -> AIOKafkaConnection:
    for name in _READ_EACH_TIME:
        if callable(options.get(name)):
            options[name] = options[name]()
    connection = _Connection(host, port, **options)
    tokens = options.get("sasl_oauth_token_provider")
    try:
        await connection.connect()
    except (AuthenticationFailedError, SaslAuthenticationFailed) as error:
        if isinstance(tokens, TokenProvider):
            tokens.refused()
            raise TokenRejected(*error.args) from error
        raise
    return connection


class _Connection(AIOKafkaConnection):
    """A connection that knows when it has to be replaced by one that has authenticated anew.

    Overrides the private `_do_sasl_handshake`, and the undocumented `authenticator_oauth` and `close`.
    """

    renew_at = expires_at = float("inf")
    retry_seconds = 1.0
    renewal: asyncio.Task[None] | None = None

    async def _do_sasl_handshake(self) -> None:
        began = time.monotonic()
        send: Callable[[Any], Awaitable[Any]] = super().send

        async def noted(request: Any) -> Any:
            answer = await send(request)
            if lifetime_ms := getattr(answer, "session_lifetime_ms", 0):
                lifetime_seconds = lifetime_ms / 1000
                self.renew_at = began + _used_seconds(lifetime_seconds)
                self.expires_at = began + lifetime_seconds * _LIFETIME_SURE
                self.retry_seconds = (self.expires_at - self.renew_at) * _MARGIN_PER_RETRY
            return answer

        self.send = noted
        try:
            await super()._do_sasl_handshake()
        finally:
            del self.send

    def authenticator_oauth(self) -> OAuthAuthenticator:
        return _Authenticator(sasl_oauth_token_provider=self._sasl_oauth_token_provider)

    def close(self, reason: CloseReason | None = None, exc: BaseException | None = None) -> Any:
        renewal, self.renewal = self.renewal, None
        if renewal is not None:
            renewal.cancel()
        writer = self._writer
        closed: asyncio.Future[None] = super().close(reason, exc)
        if writer is not None:
            _closing.add(closed)
            if self._ssl_context is not None:
                # Brokers often leave the end of TLS unanswered, for which uvloop waits half a minute.
                asyncio.get_running_loop().call_later(_TLS_END_SECONDS_MAX, _abort, writer.transport, closed)
        return closed

    def close_once_answered(self, client: AIOKafkaClient) -> None:
        """Close this connection as soon as its requests are answered, or their time is up; or with the client.

        Replaces the private `_handle_frame`, and puts the connection besides the others of the client.
        """
        key = self, None
        handle: Callable[[bytes], None] = super()._handle_frame

        def end() -> None:
            client._conns.pop(key, None)
            self.close(CloseReason.IDLE_DROP)

        def handle_one(frame: bytes) -> None:
            handle(frame)
            if not self._requests:
                end()

        if not self._requests:
            end()
            return
        client._conns[key] = self
        self._handle_frame = handle_one
        asyncio.get_running_loop().call_later(self._request_timeout, end)


def _abort(transport: asyncio.Transport, closed: asyncio.Future[None]) -> None:
    if not closed.done():
        transport.abort()


def _used_seconds(lifetime_seconds: float) -> float:
    """How long an authentication is used: so that requests in flight are answered within its lifetime.

    Not the same for all, so that not all are renewed at once.
    """
    margin = max(_MARGIN_SECONDS, lifetime_seconds * _MARGIN)
    used = lifetime_seconds - min(margin, lifetime_seconds * _MARGIN_MAX)
    return used * random.uniform(1 - _JITTER, 1)  # noqa: S311 - no secret


class _Authenticator(OAuthAuthenticator):
    """Ends an exchange that the broker refused as RFC 7628 wants it; aiokafka takes any answer for consent."""

    _refused = False

    async def step(self, payload: bytes | None) -> tuple[bytes | str, bool] | None:
        if payload and self._refused:
            raise AuthenticationFailedError("the broker neither accepts nor refuses the token")
        if payload:
            self._refused = True
            return _END_OF_ERROR, True
        step: tuple[bytes | str, bool] | None = await super().step(payload)
        return step


async def _connection_in_time(
    client: AIOKafkaClient, node: Any, *, group: Any = ConnectionGroup.DEFAULT, no_hint: bool = False
) -> AIOKafkaConnection | None:
    """The connection to a broker; replaced, beside its use, before the broker would cut it."""
    old, now = client._conns.get((node, group)), time.monotonic()
    if old is not None and now >= old.expires_at and old.connected():
        # It was idle, or could not be replaced: the broker would cut it at the next request.
        del client._conns[node, group]
        old.close_once_answered(client)
    elif old is not None and now >= old.renew_at and old.connected():
        old.renew_at = float("inf")
        old.renewal = asyncio.create_task(_renew(client, node, group, old))
    return await _get_connection(client, node, group=group, no_hint=no_hint)


async def _renew(client: AIOKafkaClient, node: Any, group: Any, old: _Connection) -> None:
    """Connect anew, and let the next requests use that; what is in flight stays on the old connection."""
    beside = ("renewed", group)
    known = client.cluster.broker_metadata(node) is not None
    fresh = await _get_connection(client, node, group=beside) if known else None
    client._conns.pop((node, beside), None)
    old.renewal = None
    if fresh is None:
        # The old one is used for as long as the broker lets it.
        old.renew_at = time.monotonic() + old.retry_seconds
    elif client._conns.get((node, group)) is old and old.connected():
        client._conns[node, group] = fresh
        old.close_once_answered(client)
    else:
        fresh.close(CloseReason.SHUTDOWN)


# Every client connects by the undocumented `aiokafka.conn.create_conn`, as its module knows it, and finds its
# connections by the private `AIOKafkaClient._get_conn`, in its private `_conns`.
aiokafka.client.create_conn = _create_connection
_get_connection = AIOKafkaClient._get_conn
AIOKafkaClient._get_conn = _connection_in_time


def _hidden(struct: Any) -> str:
    return f"{type(struct).__name__}(not shown)"


# aiokafka logs every request and response at the level debug; these hold a password, or what proves that one is known.
for _struct in (
    *(SaslAuthenticateRequest_v0, SaslAuthenticateRequest_v1),
    *(SaslAuthenticateResponse_v0, SaslAuthenticateResponse_v1),
):
    _struct.__repr__ = _hidden
