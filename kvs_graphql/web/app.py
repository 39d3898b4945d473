"""The routes, and nothing else."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kvs_graphql.access import ANYONE, Access, Verb, Visible
from kvs_graphql.auth import Authenticator
from kvs_graphql.executor import Executor
from kvs_graphql.metrics import CONTENT_TYPE, Metrics
from kvs_graphql.service import Catalog
from kvs_graphql.web.authentication import ACCESS, Endpoint, Gate
from kvs_graphql.web.clients import ClientAddresses
from kvs_graphql.web.connections import Connections
from kvs_graphql.web.direct import add_to_answers
from kvs_graphql.web.edge import Edge
from kvs_graphql.web.gated import GatedHttp
from kvs_graphql.web.health import Health
from kvs_graphql.web.hosts import Hosts
from kvs_graphql.web.http import GraphQLOverHttp
from kvs_graphql.web.negotiation import body_type
from kvs_graphql.web.origins import Origins
from kvs_graphql.web.pages import GRAPHQL_PATH, SIGNED_IN_PATH, Assets, Pages
from kvs_graphql.web.protection import ALL_HEADERS, protect
from kvs_graphql.web.rates import RequestRates
from kvs_graphql.web.reserved_streams import ReservedStreamLimits, ReservedStreams
from kvs_graphql.web.responses import answer_of, error_response
from kvs_graphql.web.schemas import Schemas
from kvs_graphql.web.session import SESSION_PATH, Session, how_to_begin
from kvs_graphql.web.sign_in import SignIn
from kvs_graphql.web.single_connection import STREAM_TOKEN
from kvs_graphql.web.slots import SlotLimits, Slots
from kvs_graphql.web.websocket import GraphQLWebSockets, WebSocketOptions

_CLIENTS_HEADERS = (
    *("content-type", "authorization", "last-event-id", STREAM_TOKEN.decode()),
    *("apollographql-client-name", "apollographql-client-version", "apollo-require-preflight"),
    *("x-apollo-operation-name", "x-apollo-operation-id"),
    *("traceparent", "tracestate", "baggage", "sentry-trace"),
)
"""What clients of GraphQL, and the tracing of their pages, send by themselves."""

_ANSWERED = "kvs_graphql.answered"
"""In the scope of a request whose unexpected error was logged and answered."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """What the edge needs to know."""

    root_path: str
    """The prefix of all paths, for a proxy that passes it on; paths without it work as well, such as for probes."""
    graphiql: bool
    hosts: Hosts
    frame_ancestors: tuple[str, ...]
    sign_in: SignIn | None
    """How the pages get a token of the issuer; None where they cannot."""
    introspection: bool
    """Whether clients may read the schema."""
    requests_per_second_max: int | None
    """Of one client."""
    cors_origins: tuple[str, ...]
    cors_headers: tuple[str, ...]
    cors_credentials: bool
    request_bytes_max: int
    connection_init_seconds_max: float
    operations_per_websocket_max: int
    heartbeat_seconds: float
    slots: SlotLimits
    reserved_streams: ReservedStreamLimits
    addresses: ClientAddresses


def build_app(
    executor: Executor,
    catalog: Catalog,
    metrics: Metrics,
    options: WebOptions,
    authenticator: Authenticator | None = None,
    build: Callable[[Visible], Executor] | None = None,
) -> ASGIApp:
    """The ASGI application of one service; without an authenticator, all may ask.

    `build` makes the executor for what somebody sees, where not all see the same.
    """
    pages = Pages(graphiql=options.graphiql, frame_ancestors=options.frame_ancestors, sign_in=options.sign_in)
    origins = Origins(options.cors_origins)
    schemas = Schemas(executor, catalog.tables, build)
    gate = None if authenticator is None else Gate(authenticator, schemas, origins)
    rates = None if options.requests_per_second_max is None else RequestRates(options.requests_per_second_max)
    connections = Connections(catalog, metrics, Slots(metrics, options.slots), options.addresses, rates)
    make_http = partial(
        GraphQLOverHttp,
        connections=connections,
        pages=pages,
        origins=origins,
        reserved=ReservedStreams(options.reserved_streams, catalog.arguments),
        asks=gate is not None,
        request_bytes_max=options.request_bytes_max,
        heartbeat_seconds=options.heartbeat_seconds,
    )
    http = make_http(executor) if gate is None else GatedHttp(gate, make_http)
    sockets = GraphQLWebSockets(
        executor,
        connections,
        WebSocketOptions(origins, gate, options.connection_init_seconds_max, options.operations_per_websocket_max),
    )

    routes = _other_routes(pages, catalog, gate, schemas, metrics, options)
    others = Starlette(
        routes=routes,
        exception_handlers={HTTPException: partial(_http_error, executor), Exception: partial(_unexpected, executor)},
    )
    # To an address that it would make of the request's Host header, and without a proxy's scheme.
    others.router.redirect_slashes = False
    edge = Edge(executor, options.hosts, rates, options.addresses, options.root_path)
    app: ASGIApp = _Routes(edge, {"http": http, "websocket": sockets}, others, options.root_path)
    if not options.cors_origins:
        return app
    return _Cors(
        app,
        edge,
        allow_origins=options.cors_origins,
        allow_methods=("GET", "POST", "PUT", "DELETE"),
        allow_headers=(*_CLIENTS_HEADERS, *options.cors_headers),
        allow_credentials=options.cors_credentials,
    )


def _other_routes(
    pages: Pages, catalog: Catalog, gate: Gate | None, schemas: Schemas, metrics: Metrics, options: WebOptions
) -> list[BaseRoute]:
    """The routes besides GraphQL's: pages and probes for all, the rest for those who are known."""

    health = Health(catalog, gate)

    async def print_schema(request: Request) -> Response:
        return PlainTextResponse(schemas.of(request.scope.get(ACCESS, ANYONE)).print_schema())

    async def print_metrics(request: Request) -> Response:
        access: Access = request.scope.get(ACCESS, ANYONE)
        denied = [table for name, table in catalog.tables.items() if not access.allows(Verb.STATUS, name)]
        if denied:
            for table in denied:
                table.denials.add(access, Verb.STATUS)
            raise HTTPException(403, "The metrics need the right to the status of all tables.")
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    guarded = _unguarded if gate is None else gate.guarded
    routes: list[BaseRoute] = [
        Route("/", pages.front),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
        Route("/metrics", guarded(print_metrics)),
        Mount("/assets", Assets()),
    ]
    if options.introspection:
        routes.append(Route("/schema.graphql", guarded(print_schema)))
    routes.append(Route(SESSION_PATH, partial(how_to_begin, gate is not None, options.sign_in)))
    if options.sign_in is not None:
        routes.append(Route(SIGNED_IN_PATH, pages.signed_in))
    if gate is not None:
        session = Session(gate, options.addresses)
        routes.append(Route(SESSION_PATH, session.begin, methods=["POST"]))
        routes.append(Route(SESSION_PATH, session.end, methods=["DELETE"]))
    return routes


def _unguarded(endpoint: Endpoint) -> Endpoint:
    return endpoint


class _Cors(CORSMiddleware):
    def __init__(self, app: ASGIApp, edge: Edge, **options: Any) -> None:
        super().__init__(app, **options)
        self._edge = edge

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A preflight goes no further than here.
        is_preflight = scope["type"] == "http" and scope["method"] == "OPTIONS"
        refusal = self._edge.refusal_of_host(scope) if is_preflight else None
        answer: ASGIApp = refusal or super().__call__
        await answer(scope, receive, send)

    async def simple_response(self, scope: Scope, receive: Receive, send: Send, request_headers: Headers) -> None:
        add_to_answers(scope)
        await super().simple_response(scope, receive, send, request_headers)

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        response.raw_headers.extend(ALL_HEADERS)
        return response


class _Routes:
    """GraphQL at its path, by the type of the connection; Starlette's routes everywhere else.

    Starlette tries its routes in turn, inside of two middlewares: that would cost a read a third of its time.
    """

    def __init__(self, edge: Edge, graphql: Mapping[str, ASGIApp], others: ASGIApp, root_path: str) -> None:
        self._refusal = edge.refusal
        self._graphql = graphql
        self._others = others
        self._root_path = root_path
        self._graphql_paths = frozenset({GRAPHQL_PATH, root_path + GRAPHQL_PATH})

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        refusal = self._refusal(scope)
        if refusal is not None:
            return refusal(scope, receive, send)
        app = self._graphql[scope["type"]] if scope["path"] in self._graphql_paths else self._other
        return app(scope, receive, send)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                protect(message)
            await send(message)

        root, path = self._root_path, scope["path"]
        if root and path == root and scope["type"] == "http":
            # Relative, for only the browser knows the service's address.
            redirect = _redirect(f"{root.rpartition('/')[2]}/", scope["query_string"])
            await redirect(scope, receive, send_protected)
            return
        if root and path.startswith(f"{root}/"):
            scope["path"] = path.removeprefix(root)
        try:
            await self._others(scope, receive, send_protected)
        except Exception:
            # Starlette raises again what it has answered, for the server to log: that is done.
            if _ANSWERED not in scope:
                raise


def _redirect(path: str, query_string: bytes) -> Response:
    query = query_string.decode("latin-1")
    return RedirectResponse(f"{path}?{query}" if query else path)


async def _http_error(executor: Executor, request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(executor, request.headers.get("accept", ""), error)


async def _unexpected(executor: Executor, request: Request, error: Exception) -> Response:
    request.scope[_ANSWERED] = True
    media_type = body_type(request.headers.get("accept", ""))
    answer = answer_of(media_type, executor.refuse(error))
    return Response(answer.body, answer.status, media_type=media_type)
