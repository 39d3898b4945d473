"""An executor without compiled operations, and subscribers without a transport."""

import asyncio
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from kvs_graphql.access import ANYONE, Access
from kvs_graphql.api import Connection
from kvs_graphql.executor import Executor, Payload, PreparedOperation, Refusal, Request
from kvs_graphql.service import Flush
from tests.applications import Application

Variables = dict[str, Any]


class GraphQLCoreOnly(Executor):
    """Compiles nothing."""

    def known(self, request: Request) -> None:
        """Nothing: every request passes `prepare`."""

    async def prepare_in_turn(self, request: Request) -> PreparedOperation | Refusal:
        return self.prepare(request)

    def prepare(self, request: Request) -> PreparedOperation | Refusal:
        prepared = super().prepare(request)
        return replace(prepared, compiled=None) if isinstance(prepared, PreparedOperation) else prepared


@dataclass
class Subscriber:
    """A sink that keeps its results; it has room for `room` of them directly."""

    room: int = 0
    with_token: bool = False
    expected: int = 1
    results: list[Any] = field(default_factory=list)
    payloads: list[Payload] = field(default_factory=list)
    direct: int = 0
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, payload: Payload) -> Flush | None:
        if self.direct >= self.room:
            return None
        self.direct += 1
        self._receive(payload)
        return lambda: None

    async def send(self, payload: Payload) -> None:
        self._receive(payload)

    def _receive(self, payload: Payload) -> None:
        self.payloads.append(payload)
        self.results.append(orjson.loads(payload.result))
        if len(self.results) == self.expected:
            self.complete.set()

    async def subscribe(
        self,
        application: Application,
        executor: Executor,
        document: str,
        access: Access = ANYONE,
        variables: Variables | None = None,
    ) -> None:
        """Subscribe until the expected number of results has arrived."""
        connection = Connection(application.table.catalog, access, "websocket", application.metrics, nullcontext)
        prepared = executor.prepare(Request(document, variables))
        assert isinstance(prepared, PreparedOperation)
        streaming = asyncio.create_task(executor.stream(prepared, variables, connection, self))
        try:
            await self.complete.wait()
        finally:
            streaming.cancel()
            await asyncio.wait([streaming])
