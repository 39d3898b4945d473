"""The GraphQL endpoint: Strawberry's view, with this service's context, encoder, media types and errors."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
from cross_web import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import MissingQueryError
from strawberry.http import GraphQLHTTPResponse, GraphQLRequestData
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import (
    GRAPHQL_SSE_PROTOCOL,
    GRAPHQL_TRANSPORT_WS_PROTOCOL,
    MULTIPART_SUBSCRIPTION_PROTOCOL,
)
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from kvs_graphql.access import ANYONE
from kvs_graphql.api import Connection, KvsSchema
from kvs_graphql.metrics import Metrics
from kvs_graphql.service import Service
from kvs_graphql.web.events import cursor_events, is_over, resumed_from
from kvs_graphql.web.pages import Pages
from kvs_graphql.web.places import Places
from kvs_graphql.web.responses import error_response, graphql_response
from kvs_graphql.web.sockets import SocketAdapter, SocketHandler
from kvs_graphql.web.streams import ResultStream


class GraphQLEndpoint(GraphQL[Connection, None]):
    """Queries by POST and GET; subscriptions by WebSocket, Server-Sent Events and multipart; a page for browsers."""

    graphql_transport_ws_handler_class = SocketHandler
    websocket_adapter_class = SocketAdapter

    def __init__(
        self,
        schema: KvsSchema,
        service: Service,
        metrics: Metrics,
        pages: Pages,
        places: Places,
        *,
        connection_init_seconds_max: float,
        subscriptions_per_socket_max: int,
        origins: tuple[str, ...],
        ping_seconds: float,
    ) -> None:
        super().__init__(
            schema,
            graphql_ide=None,
            subscription_protocols=(
                GRAPHQL_TRANSPORT_WS_PROTOCOL,
                GRAPHQL_SSE_PROTOCOL,
                MULTIPART_SUBSCRIPTION_PROTOCOL,
            ),
            connection_init_wait_timeout=timedelta(seconds=connection_init_seconds_max),
            max_subscriptions_per_connection=subscriptions_per_socket_max,
            allowed_origins=origins,
        )
        self.stream_transport_classes_by_protocol = {
            **GraphQL.stream_transport_classes_by_protocol,
            GRAPHQL_SSE_PROTOCOL: cursor_events(ping_seconds),
        }
        self._service = service
        self._metrics = metrics
        self._pages = pages
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        request = Request(scope, receive)
        if is_over(request):
            await Response(status_code=204)(scope, receive, send)
            return
        try:
            page = self._pages.graphiql(request)
            response = await self.run(request) if page is None else page
        except HTTPException as error:
            allow = {"Allow": "GET, POST"} if error.status_code == 405 else None
            response = error_response(request, error.status_code, error.reason, allow)
        await response(scope, receive, send)

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Connection:
        transport = self._transport(request)
        resume = resumed_from(request) if isinstance(request, Request) and transport == "sse" else None
        place = partial(self._places.taken, request.client.host if request.client else "", transport)
        return Connection(self._service, ANYONE, transport, self._metrics, place, resume)

    async def get_sub_response(self, request: Request | WebSocket) -> Response:
        # Strawberry hands this on to `create_response`, which is not told of the request.
        return _Answer(request.headers.get("accept", ""))

    async def execute_single(
        self,
        request: Request,
        request_adapter: Any,
        sub_response: Response,
        context: Connection,
        root_value: None,
        request_data: GraphQLRequestData,
    ) -> ExecutionResult:
        """A query or mutation in one response; a subscription needs a transport that can carry many."""
        allowed = OperationType.from_http(request_adapter.method) - {OperationType.SUBSCRIPTION}
        try:
            return await self.schema.execute(
                request_data.query,
                root_value=root_value,
                variable_values=request_data.variables,
                context_value=context,
                operation_name=request_data.operation_name,
                allowed_operation_types=allowed,
                operation_extensions=request_data.extensions,
            )
        except CannotGetOperationTypeError as error:
            raise HTTPException(400, error.as_http_error_reason()) from error
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                reason = "Subscriptions need a WebSocket, or Accept: text/event-stream."
                raise HTTPException(400, reason) from error
            raise HTTPException(405, error.as_http_error_reason(request_adapter.method)) from error
        except MissingQueryError as error:
            raise HTTPException(400, "The request has no query.") from error

    async def process_result(self, request: Request, result: ExecutionResult) -> GraphQLHTTPResponse:
        payload = await super().process_result(request, result)
        if result.data is None and result.errors and not any(error.path for error in result.errors):
            del payload["data"]  # Nothing was executed.
        return payload

    def create_response(self, response_data: Any, sub_response: Response) -> Response:
        assert isinstance(sub_response, _Answer)
        return graphql_response(response_data, sub_response.accept, orjson.dumps(response_data))

    async def create_streaming_response(
        self, request: Request | WebSocket, stream: Any, sub_response: Response, headers: Mapping[str, str]
    ) -> Response:
        return ResultStream(stream(), self._service, headers)

    async def _create_streaming_response(
        self, request: Request, result: Any, protocol: Any, sub_response: Response
    ) -> Response:
        response = await super()._create_streaming_response(request, result, protocol, sub_response)
        assert isinstance(response, ResultStream)
        response.results = result
        return response

    def should_render_graphql_ide(self, request: Any) -> bool:
        return False

    def parse_json(self, data: str | bytes) -> Any:
        parsed = super().parse_json(data)
        # A body comes as bytes, a parameter of the address as text.
        if isinstance(data, bytes) and not isinstance(parsed, dict | list):
            raise HTTPException(400, "The request is not a JSON object.")
        return parsed

    def decode_json(self, data: str | bytes) -> object:
        return orjson.loads(data)

    def encode_json(self, data: object) -> str:
        # Text: a WebSocket would send bytes as a binary message.
        return orjson.dumps(data).decode()

    def _transport(self, request: Request | WebSocket) -> str:
        if isinstance(request, WebSocket):
            return "websocket"
        transport = self._get_stream_transport_from_headers(request.headers)
        return "http" if transport is None else transport.protocol.removesuffix("-subscription")


class _Answer(Response):
    """Carries what the client accepts from the request to its response."""

    def __init__(self, accept: str) -> None:
        super().__init__()
        self.accept = accept
