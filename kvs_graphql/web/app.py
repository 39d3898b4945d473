"""The routes, and nothing else."""

from dataclasses import dataclass
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp

from kvs_graphql.executor import Executor
from kvs_graphql.metrics import CONTENT_TYPE, Metrics
from kvs_graphql.service import Service
from kvs_graphql.web.connections import Connections
from kvs_graphql.web.health import Health
from kvs_graphql.web.http import GraphQLOverHttp
from kvs_graphql.web.pages import Assets, Pages
from kvs_graphql.web.responses import error_response, failure_response
from kvs_graphql.web.slots import SlotLimits, Slots
from kvs_graphql.web.websocket import GraphQLWebSockets, WebSocketOptions


@dataclass(frozen=True, slots=True)
class WebOptions:
    """What the edge needs to know."""

    graphiql: bool
    cors_origins: tuple[str, ...]
    request_bytes_max: int
    connection_init_seconds_max: float
    subscriptions_per_socket_max: int
    heartbeat_seconds: float
    slots: SlotLimits


def build_app(executor: Executor, sdl: str, service: Service, metrics: Metrics, options: WebOptions) -> ASGIApp:
    """The ASGI application of one service, whose schema `sdl` describes."""
    pages = Pages(graphiql=options.graphiql)
    health = Health(service)
    connections = Connections(service, metrics, Slots(metrics, options.slots))
    http = GraphQLOverHttp(
        executor,
        connections,
        pages,
        request_bytes_max=options.request_bytes_max,
        heartbeat_seconds=options.heartbeat_seconds,
    )
    sockets = GraphQLWebSockets(
        executor,
        connections,
        WebSocketOptions(
            options.cors_origins, options.connection_init_seconds_max, options.subscriptions_per_socket_max
        ),
    )

    async def print_schema(_: Request) -> Response:
        return PlainTextResponse(sdl)

    async def print_metrics(_: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    cors = Middleware(
        CORSMiddleware,
        allow_origins=options.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("content-type", "authorization", "last-event-id"),
    )
    return Starlette(
        routes=[
            # First, for routes are tried in order.
            Route("/graphql", http, name="graphql"),
            WebSocketRoute("/graphql", sockets),
            Route("/", pages.front),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", print_metrics),
            Route("/schema.graphql", print_schema),
            Mount("/assets", Assets()),
        ],
        middleware=[cors] if options.cors_origins else [],
        exception_handlers={HTTPException: _http_error, Exception: partial(_unexpected, executor)},
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(request, error.status_code, error.detail, error.headers)


async def _unexpected(executor: Executor, request: Request, error: Exception) -> Response:
    return failure_response(request, executor.refuse(error))
