"""The routes, and nothing else."""

from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import ASGIApp

from kvs_graphql.api import KvsSchema, masked
from kvs_graphql.metrics import CONTENT_TYPE, Metrics
from kvs_graphql.service import Service
from kvs_graphql.web.graphql import GraphQLEndpoint
from kvs_graphql.web.health import Health
from kvs_graphql.web.pages import Assets, Pages
from kvs_graphql.web.places import PlaceLimits, Places
from kvs_graphql.web.queries import PlannedQueries
from kvs_graphql.web.responses import BodyLimit, error_response


@dataclass(frozen=True, slots=True)
class WebOptions:
    """What the edge needs to know."""

    graphiql: bool
    cors_origins: tuple[str, ...]
    request_bytes_max: int
    connection_init_seconds_max: float
    subscriptions_per_socket_max: int
    ping_seconds: float
    places: PlaceLimits


def build_app(schema: KvsSchema, service: Service, metrics: Metrics, options: WebOptions) -> ASGIApp:
    """The ASGI application of one service."""
    pages = Pages(graphiql=options.graphiql)
    health = Health(service)
    graphql = GraphQLEndpoint(
        schema,
        service,
        metrics,
        pages,
        Places(metrics, options.places),
        connection_init_seconds_max=options.connection_init_seconds_max,
        subscriptions_per_socket_max=options.subscriptions_per_socket_max,
        origins=options.cors_origins,
        ping_seconds=options.ping_seconds,
    )
    sdl = schema.as_str() + "\n"

    async def print_schema(_: Request) -> Response:
        return PlainTextResponse(sdl)

    async def print_metrics(_: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    app: ASGIApp = Starlette(
        routes=[
            Route("/", pages.front),
            Route("/graphql", graphql, name="graphql"),
            WebSocketRoute("/graphql", graphql),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", print_metrics),
            Route("/schema.graphql", print_schema),
            Mount("/assets", Assets()),
        ],
        middleware=[Middleware(BodyLimit, options.request_bytes_max)],
        exception_handlers={HTTPException: _http_error, Exception: _unexpected},
    )
    app = PlannedQueries(app, schema, service, metrics, bytes_max=options.request_bytes_max)
    if not options.cors_origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=options.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("content-type", "authorization", "last-event-id"),
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return error_response(request, error.status_code, error.detail, error.headers)


async def _unexpected(request: Request, error: Exception) -> Response:
    shown = masked(error)
    return error_response(request, 500, shown.message, **(shown.extensions or {}))
