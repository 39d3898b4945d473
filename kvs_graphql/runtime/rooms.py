"""How the HTTP server and its schema are built from the settings."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import structlog

from kvs_graphql.api import build_schema
from kvs_graphql.auth import Authenticator
from kvs_graphql.budget import BudgetLimits
from kvs_graphql.errors import BadSetting
from kvs_graphql.executor import DocumentLimits, Executor, ExecutorLimits
from kvs_graphql.formats import TableFormats
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime import descriptors
from kvs_graphql.runtime.documents import document_policy
from kvs_graphql.runtime.limits import ServerLimits
from kvs_graphql.runtime.server import Server
from kvs_graphql.service import Catalog
from kvs_graphql.settings import Settings, from_settings
from kvs_graphql.tables import Generations
from kvs_graphql.web import ClientAddresses, Hosts, SlotLimits, WebOptions, build_app

log = structlog.get_logger(__name__)


Formats = Callable[[], Mapping[str, TableFormats]]
"""The formats of the tables, by name, as they are now."""


def build_executor(settings: Settings, formats: Formats, metrics: Metrics) -> Executor:
    """Build the executor of the GraphQL schema.

    Raises:
        BadSetting: Types of two tables have the same name.
    """
    documents = DocumentLimits(
        bytes_max=settings.document_bytes_max,
        depth_max=settings.query_depth_max,
        aliases_max=settings.query_aliases_max,
        tokens_max=settings.query_tokens_max,
    )
    budgets = from_settings(
        BudgetLimits, settings, cost_max=settings.query_cost_max, errors_max=settings.errors_per_response_max
    )
    policy = document_policy(settings)
    limits = from_settings(ExecutorLimits, settings, documents=documents, budgets=budgets, policy=policy)
    return Executor(_schema(settings, formats()), limits, metrics)


async def serve_generations(settings: Settings, formats: Formats, generations: Generations, executor: Executor) -> None:
    """Serve a new generation of the schema whenever the formats of a table have changed, until cancelled."""
    while True:
        number = await generations.next()
        try:
            # Aside: a schema of many tables takes a while.
            schema = await asyncio.to_thread(_schema, settings, formats())
        except BadSetting as error:
            log.warning("the new schema cannot be served", reason=str(error))
        else:
            executor.serve(schema)
            log.info("a new schema is served")
        await generations.serve(number)


def build_server(
    settings: Settings,
    executor: Executor,
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
        addresses=addresses,
        hosts=Hosts(settings.allowed_hosts, settings.host),
    )
    app: Any = build_app(executor, catalog, metrics, options, authenticator)
    return Server(app, _server_limits(settings), metrics, on_exit, addresses=addresses, tls=settings.tls_context)


def _schema(settings: Settings, formats: Mapping[str, TableFormats]) -> Any:
    writable = {name: table.writes for name, table in settings.catalog.items()}
    return build_schema(writable, formats, json_bytes_max=settings.json_bytes_max)


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
