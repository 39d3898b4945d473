"""GraphQL over HTTP: POST and GET, answered in one body or in a stream."""

from functools import partial

from starlette.exceptions import HTTPException
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from kvs_graphql.api import Connection
from kvs_graphql.executor import Executor, Outcome, PreparedOperation, Refusal, Request, ResultSink
from kvs_graphql.web.connections import Connections
from kvs_graphql.web.direct import DIRECT_EXTENSION
from kvs_graphql.web.negotiation import ANSWERS, STREAMS, MediaType, preferred
from kvs_graphql.web.pages import Pages
from kvs_graphql.web.requests import read_body, request_of_address, request_of_body
from kvs_graphql.web.responses import send_answer
from kvs_graphql.web.streams import END, EventFraming, Framing, MultipartFraming, send_stream

_FRAMINGS: dict[MediaType, Framing] = {
    MediaType.EVENT_STREAM: EventFraming(),
    MediaType.MULTIPART: MultipartFraming(),
}
_TRANSPORTS = {MediaType.EVENT_STREAM: "sse", MediaType.MULTIPART: "multipart"}


class GraphQLOverHttp:
    """An ASGI application for one path."""

    def __init__(
        self,
        executor: Executor,
        connections: Connections,
        pages: Pages,
        *,
        request_bytes_max: int,
        heartbeat_seconds: float,
    ) -> None:
        self._executor = executor
        self._connections = connections
        self._pages = pages
        self._request_bytes_max = request_bytes_max
        self._heartbeat_seconds = heartbeat_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        accept = content_type = ""
        last_event_id = b""
        for name, value in scope["headers"]:
            if name == b"accept":
                accept = f"{accept}, {value.decode('latin-1')}" if accept else value.decode("latin-1")
            elif name == b"content-type":
                content_type = value.decode("latin-1")
            elif name == b"last-event-id":
                last_event_id = value
        if last_event_id == END:
            await Response(status_code=204)(scope, receive, send)
            return
        if scope["method"] == "POST":
            request = request_of_body(await read_body(receive, self._request_bytes_max), content_type)
        elif scope["method"] != "GET":
            raise HTTPException(405, "GraphQL takes GET and POST.", {"Allow": "GET, POST"})
        elif (page := self._pages.graphiql(HttpRequest(scope))) is not None:
            await page(scope, receive, send)
            return
        else:
            request = request_of_address(scope["query_string"])
        await self._answer(request, accept, last_event_id, scope, receive, send)

    async def _answer(
        self, request: Request, accept: str, last_event_id: bytes, scope: Scope, receive: Receive, send: Send
    ) -> None:
        prepared = self._executor.prepare(request)
        media_type = _media_type(prepared, accept)
        if isinstance(prepared, PreparedOperation) and prepared.is_mutation and scope["method"] == "GET":
            raise HTTPException(405, "Mutations need POST.", {"Allow": "POST"})
        if (framing := _FRAMINGS.get(media_type)) is not None:
            resume = last_event_id.decode("latin-1") if media_type is MediaType.EVENT_STREAM else ""
            connection = self._connections.streaming(scope, _TRANSPORTS[media_type], resume or None)
            stream = partial(self._stream, prepared, request, connection)
            writer = scope.get("extensions", {}).get(DIRECT_EXTENSION)
            await send_stream(framing, stream, receive, send, writer, self._heartbeat_seconds)
        elif isinstance(prepared, Refusal):
            await send_answer(send, media_type, prepared)
        else:
            answer = await self._executor.execute(prepared, request.variables, self._connections.plain)
            await send_answer(send, media_type, answer)

    async def _stream(
        self, prepared: PreparedOperation | Refusal, request: Request, connection: Connection, sink: ResultSink
    ) -> Outcome | Refusal:
        if isinstance(prepared, Refusal):
            return prepared
        return await self._executor.stream(prepared, request.variables, connection, sink)


def _media_type(prepared: PreparedOperation | Refusal, accept: str) -> MediaType:
    """The media type of an answer, as the client prefers it among those that fit the operation.

    Raises:
        HTTPException: 400: The operation is a subscription, and the client takes no stream.
    """
    if isinstance(prepared, Refusal):
        return preferred(accept, (*ANSWERS, *STREAMS)) or MediaType.JSON
    if not prepared.is_subscription:
        # Multipart subscriptions carry nothing else.
        return preferred(accept, (*ANSWERS, MediaType.EVENT_STREAM)) or MediaType.JSON
    stream = preferred(accept, STREAMS)
    if stream is None:
        raise HTTPException(400, "Subscriptions need a WebSocket, or Accept: text/event-stream.")
    return stream
