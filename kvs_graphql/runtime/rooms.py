"""How the HTTP server is built from the settings."""

from collections.abc import Awaitable, Callable
from typing import Any

from kvs_graphql.auth import Authenticator
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime import descriptors
from kvs_graphql.runtime.access import sign_in_for
from kvs_graphql.runtime.graphs import Graphs
from kvs_graphql.runtime.limits import ServerLimits
from kvs_graphql.runtime.server import Server
from kvs_graphql.runtime.tls import RenewedTls
from kvs_graphql.service import Catalog
from kvs_graphql.settings import Settings, from_settings
from kvs_graphql.web import ClientAddresses, Hosts, ReservedStreamLimits, SlotLimits, WebOptions, build_app


def build_server(
    settings: Settings,
    graphs: Graphs,
    catalog: Catalog,
    metrics: Metrics,
    authenticator: Authenticator | None,
    on_exit: Callable[[], Awaitable[None]],
) -> Server:
    """Build the HTTP server; it awaits `on_exit` first when it stops.

    Raises:
        BadSetting: The process may open too few files.
    """
    addresses = ClientAddresses(settings.forwarded_allow_ips)
    options = from_settings(
        WebOptions,
        settings,
        heartbeat_seconds=settings.ping_seconds,
        slots=SlotLimits(settings.subscriptions_per_client_max, settings.subscriptions_max),
        reserved_streams=ReservedStreamLimits(
            SlotLimits(settings.reserved_streams_per_client_max, settings.reserved_streams_max),
            settings.reservation_seconds_max,
            settings.operations_per_reserved_stream_max,
        ),
        addresses=addresses,
        hosts=Hosts(settings.allowed_hosts, settings.host),
        sign_in=sign_in_for(settings),
    )
    app: Any = build_app(graphs.whole, catalog, metrics, options, authenticator, graphs.build)
    tls = RenewedTls(settings.tls_files, lambda: settings.tls_context) if settings.tls_files else None
    return Server(app, _server_limits(settings), metrics, on_exit, addresses=addresses, tls=tls)


def _server_limits(settings: Settings) -> ServerLimits:
    connections_max = descriptors.connections_max(settings)
    return from_settings(
        ServerLimits,
        settings,
        connections_max=connections_max,
        connections_per_client_max=settings.connections_per_client_max or max(1, connections_max // 4),
        head_bytes_max=settings.request_head_bytes_max,
        head_seconds_max=settings.request_head_seconds_max,
        message_bytes_max=settings.request_bytes_max,
        body_seconds_max=settings.request_body_seconds_max,
    )
