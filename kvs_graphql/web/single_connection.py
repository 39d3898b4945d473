"""graphql-sse in its single connection mode: one event stream for many operations.

PUT reserves a stream. GET opens it, as does any request that prefers an event stream and names one. Other requests with
its token are operations, whose results it carries. DELETE ends one of them.

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

from collections.abc import Mapping
from functools import partial

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kvs_graphql.access import ANYONE, Access
from kvs_graphql.api import Connection
from kvs_graphql.errors import LimitExceeded
from kvs_graphql.executor import ClientGone, Executor, Given, Outcome, Payload, PreparedOperation, Refusal
from kvs_graphql.web.authentication import ACCESS
from kvs_graphql.web.bodies import StreamBody
from kvs_graphql.web.connections import Connections
from kvs_graphql.web.direct import exchange_of
from kvs_graphql.web.negotiation import MediaType, answer_type
from kvs_graphql.web.origins import Origins
from kvs_graphql.web.requests import (
    Identified,
    check_method,
    identified_request_of_address,
    identified_request_of_body,
    operation_id_of_address,
    read_body,
)
from kvs_graphql.web.reserved_streams import OperationSink, ReservedStream, ReservedStreams
from kvs_graphql.web.responses import encode_refusal, protected_response, refusal_response
from kvs_graphql.web.streams import EventFraming, send_stream

STREAM_TOKEN = b"x-graphql-event-stream-token"
"""The header with a stream's token. Not in a URL: logs would keep it, and who knows it can disturb a stream."""

_METHODS = "Use GET or POST; for an event stream in single connection mode, also PUT and DELETE."
_PARSED_BYTES_PER_BYTE = 24
"""What JSON takes in memory at most: empty objects in a list."""


class _SharedFraming(EventFraming):
    """Something comes at once: no operation may follow for long, and some proxies and browsers wait for a body."""

    begin = EventFraming.heartbeat


_FRAMING = _SharedFraming()


class SingleConnection:
    """Serves the requests of this mode with one executor."""

    def __init__(
        self,
        executor: Executor,
        connections: Connections,
        streams: ReservedStreams,
        origins: Origins,
        *,
        request_bytes_max: int,
        heartbeat_seconds: float,
    ) -> None:
        self._executor = executor
        self._connections = connections
        self._streams = streams
        self._origins = origins
        self._request_bytes_max = request_bytes_max
        self._heartbeat_seconds = heartbeat_seconds

    async def serve(
        self, fields: Mapping[bytes, bytes], accept: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Serve a request with a stream's token, or with a method that only this mode has.

        Raises:
            HTTPException: It is refused.
        """
        access: Access = scope.get(ACCESS, ANYONE)
        method = scope["method"]
        try:
            if method == "PUT":
                answer = self._reserve(scope, access)
            elif method not in {"GET", "POST", "DELETE"}:
                raise HTTPException(405, _METHODS, {"Allow": "GET, POST, PUT, DELETE"})
            else:
                if method == "GET":
                    self._origins.check_get(scope)
                stream = self._streams.find(fields.get(STREAM_TOKEN, b"").decode("latin-1"), access)
                if method == "DELETE":
                    stream.stop(operation_id_of_address(scope["query_string"]))
                    answer = protected_response(b"", 200)
                elif answer_type(accept) is MediaType.EVENT_STREAM:
                    await self._open(stream, scope, receive, send)
                    return
                else:
                    answer = await self._accept(stream, access, fields, scope, receive)
        except LimitExceeded as error:
            answer = refusal_response(self._executor, accept, error, 429, {"Retry-After": "1"})
        await answer(scope, receive, send)

    def _reserve(self, scope: Scope, access: Access) -> Response:
        token = self._streams.reserve(self._connections.client(scope), access)
        return protected_response(token.encode(), 201, "text/plain", {"Cache-Control": "no-store"})

    async def _open(self, stream: ReservedStream, scope: Scope, receive: Receive, send: Send) -> None:
        writer = exchange_of(scope)
        stream.open(StreamBody(send, writer))
        try:
            carry = partial(stream.carry, self._connections.until_stopping)
            await send_stream(_FRAMING, lambda _: carry(), receive, send, writer, self._heartbeat_seconds, None)
        finally:
            await stream.close()

    async def _accept(
        self, stream: ReservedStream, access: Access, fields: Mapping[bytes, bytes], scope: Scope, receive: Receive
    ) -> Response:
        """Start an operation; its results go another way than this answer."""
        if scope["method"] == "POST":
            body = await read_body(receive, self._request_bytes_max)
            identified, size = identified_request_of_body(body, fields, self._request_bytes_max), len(body)
        else:
            query_string = scope["query_string"]
            identified, size = identified_request_of_address(query_string), len(query_string)
        prepared = await self._prepared(identified, access)
        connection = self._connections.streaming(scope, "sse", access)
        identity, variables = identified.operation_id, identified.request.variables
        if isinstance(prepared, PreparedOperation):
            check_method(prepared, scope["method"])
            if prepared.is_subscription:
                connection = self._connections.kept.connection(connection, prepared, variables, identity)
                await self._connections.starts.next()
        operation = partial(self._operate, stream, identity, prepared, variables, connection)
        stream.start(identity, _PARSED_BYTES_PER_BYTE * size, operation)
        return protected_response(b"", 202)

    async def _prepared(self, identified: Identified, access: Access) -> PreparedOperation | Refusal:
        executor, request = self._executor, identified.request
        prepared = executor.known(request) or await executor.prepare_in_turn(request)
        if isinstance(prepared, Refusal):
            self._connections.hidden_fields.count(access, prepared)
        return prepared

    async def _operate(
        self,
        stream: ReservedStream,
        identity: str,
        prepared: PreparedOperation | Refusal,
        variables: Given,
        connection: Connection,
    ) -> None:
        """Run one operation to its end, and tell its client how it ended.

        A document that is refused is one, too: the client shows its user nothing of an answer other than 202.
        """
        body = await stream.body()
        sink = OperationSink(identity, body)
        outcome: Outcome | Refusal
        try:
            if isinstance(prepared, Refusal):
                outcome = prepared
            else:
                outcome = await self._executor.stream(prepared, variables, connection, sink)
        except ClientGone:
            return
        # The id is free before the client hears of the end.
        stream.finish(identity)
        if outcome is Outcome.SUPERSEDED:
            stream.end()
        elif outcome is not Outcome.STOPPING:
            if isinstance(outcome, Refusal):
                await sink.send(Payload(encode_refusal(outcome)))
            await body.send(b'event: complete\ndata: {"id":' + orjson.dumps(identity) + b"}\n\n")
