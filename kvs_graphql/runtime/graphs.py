"""The GraphQL schema, for whoever sees a part of it, and its generations."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from kvs_graphql.access import Visible
from kvs_graphql.api import build_schema
from kvs_graphql.budget import BudgetLimits
from kvs_graphql.errors import BadSetting
from kvs_graphql.executor import DocumentLimits, Executor, ExecutorLimits
from kvs_graphql.formats import TableFormats
from kvs_graphql.metrics import Metrics
from kvs_graphql.runtime.documents import document_policy
from kvs_graphql.schemas import Change, Generations, Proposal
from kvs_graphql.settings import Settings, from_settings

log = structlog.get_logger(__name__)

Formats = Callable[[], Mapping[str, TableFormats]]
"""The formats of the tables, by name, as they are now."""


class Graphs:
    """Builds executors, and gives those in use each new generation of the schema."""

    def __init__(self, settings: Settings, formats: Formats, metrics: Metrics) -> None:
        """Raises: BadSetting: Types of two tables have the same name."""
        self._settings = settings
        self._formats = formats
        self._metrics = metrics
        self._limits = _limits(settings)
        self._executors: WeakKeyDictionary[Executor, Visible | None] = WeakKeyDictionary()
        self.whole = self.build(None)
        """For those who see everything."""

    def build(self, visible: Visible | None) -> Executor:
        """The executor for what somebody sees; None for everything.

        Raises:
            BadSetting: Types of two tables have the same name.
        """
        executor = Executor(self._schema(visible, self._formats()), self._limits, self._metrics)
        self._executors[executor] = visible
        return executor

    async def serve(self, generations: Generations) -> None:
        """Serve a new generation whenever tables propose other formats, until cancelled."""
        while True:
            proposed = await generations.next()
            reason = await self._serve(proposed)
            if reason is None or len(proposed) == 1:
                parts = [(proposed, reason)]
            else:
                # Which of them cannot be served shows one by one.
                parts = [([one], await self._serve([one])) for one in proposed]
            for part, why in parts:
                generations.served += why is None
                for one in part:
                    one.decide(why)

    async def _serve(self, proposed: Sequence[Proposal]) -> str | None:
        """Serve a generation with these formats; return why that cannot be."""
        formats = dict(self._formats())
        for one in proposed:
            formats[one.table] = one.change(formats[one.table])
        built: dict[Executor, Any] = {}
        try:
            # Others may be built meanwhile, with the formats of before.
            while missing := set(self._executors) - built.keys():
                for executor in missing:
                    # Aside: a schema of many tables takes a while.
                    built[executor] = await asyncio.to_thread(self._schema, self._executors[executor], formats)
        except BadSetting as error:
            return str(error)
        except Exception as error:
            # A schema that others registered must not end the service, whatever a library makes of it.
            log.exception("a graph cannot be built")
            return f"the graph cannot be built: {type(error).__name__}"
        for one in proposed:
            one.accept()
        for executor, schema in built.items():
            executor.serve(schema)
        log.info("a new schema is served")
        return None

    def _schema(self, visible: Visible | None, formats: Mapping[str, TableFormats]) -> Any:
        settings = self._settings
        writable = {name: table.writes for name, table in settings.catalog.items()}
        limits = {"json_bytes_max": settings.json_bytes_max, "data_bytes_max": settings.data_bytes_max}
        return build_schema(writable, formats, visible=visible, **limits)


async def check_graph(
    settings: Settings, formats: Mapping[str, TableFormats], changes: Sequence[tuple[str, Change]]
) -> Sequence[str | None]:
    """Why each of these changes of a table's formats could not be served by a service that starts with `formats`.

    None where it could.

    Raises:
        BadSetting: It could not start: types of two tables have the same name.
    """
    served, generations = dict(formats), Generations()

    async def propose(table: str, change: Change) -> str | None:
        return await generations.propose(table, change, lambda: served.update({table: change(served[table])}))

    serving = asyncio.create_task(Graphs(settings, lambda: served, Metrics()).serve(generations))
    try:
        return await asyncio.gather(*(propose(*one) for one in changes))
    finally:
        serving.cancel()


def _limits(settings: Settings) -> ExecutorLimits:
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
    return from_settings(ExecutorLimits, settings, documents=documents, budgets=budgets, policy=policy)
