"""Rendering: from an event of a subscription to its payload in JSON, once for all subscribers who see the same.

What an update shows depends on the selection and on who asks, not on which keys a subscriber watches. So all that are
synced, select the same and have the same access fingerprint share one payload, and a change costs each of them little
more than a write to its connection.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, Protocol
from weakref import WeakValueDictionary

from cachetools import FIFOCache

from kvs_graphql.access import Access
from kvs_graphql.api import Operation, Source, token_of
from kvs_graphql.budget import Budget
from kvs_graphql.compat.graphql import MeteredExecutor
from kvs_graphql.compat.orjson import compact
from kvs_graphql.executor.compiled import Bound, CompiledOperation, Result, RootField, Show
from kvs_graphql.executor.encoding import encode
from kvs_graphql.executor.results import Results
from kvs_graphql.service import Update


class Payload(NamedTuple):
    """One result, ready for any transport."""

    result: bytes
    """JSON: an object with `data`, `errors` and `extensions`, where there are any."""
    token: bytes | None = None
    """The cursor just after it; None where it has none, or the transport does not carry it."""


class Renderer(Protocol):
    """Renders the events of a subscription."""

    async def render(self, event: Any) -> Payload:
        """The payload of an event, errors included."""
        ...

    def render_shared(self, update: Update) -> Payload | None:
        """The payload of an update that is shared with others; None where it has errors."""
        ...


# Overhead of a cached payload, in addition to its result or its record.
_BYTES_PER_PAYLOAD = 1_024
_LATEST_BYTES_MAX = 16 * 1_024
"""About how much a renderer may keep besides the cache: there may be as many renderers as subscriptions."""


class RenderCache:
    """Caches payloads by renderer and update; drops the oldest beyond `bytes_max`."""

    def __init__(self, bytes_max: int) -> None:
        # Values keep the renderer and the update alive, so that their ids stay valid as keys.
        self._kept: FIFOCache[tuple[int, int], tuple[object, Update, Payload]] = FIFOCache(
            bytes_max, getsizeof=lambda kept: _kept_bytes(kept[1], kept[2])
        )
        self._renderers: WeakValueDictionary[tuple[RootField, Show, bool], CompiledRenderer] = WeakValueDictionary()

    def get(self, renderer: object, update: Update) -> Payload | None:
        """The payload kept for an update; None where there is none, or no more."""
        kept = self._kept.get((id(renderer), id(update)))
        return None if kept is None else kept[2]

    def keep(self, renderer: object, update: Update, payload: Payload) -> None:
        """Keep a payload, unless it is larger than the whole cache."""
        if _kept_bytes(update, payload) <= self._kept.maxsize:
            self._kept[id(renderer), id(update)] = renderer, update, payload

    def renderer(
        self,
        operation: CompiledOperation,
        bound: Bound,
        access: Access,
        source: Source[Any],
        results: Results,
        *,
        with_token: bool,
    ) -> "CompiledRenderer":
        """The renderer of a compiled subscription: one object for all subscribers who see the same of updates.

        Raises:
            GraphQLError: A variable is null where an argument must not be.
        """
        (field,) = operation.fields
        show, token = field.show(bound, access), with_token and source.updates
        renderer = self._renderers.get((field, show, token)) if source.updates else None
        if renderer is None:
            renderer = CompiledRenderer(operation, show, field.within(bound), access, source, self, results, token)
            if source.updates:
                self._renderers[field, show, token] = renderer
        return renderer


class CompiledRenderer:
    """Renders events by a compiled operation. Those of updates are shared by any number of subscribers."""

    def __init__(
        self,
        operation: CompiledOperation,
        show: Show,
        bound: Bound,
        access: Access,
        source: Source[Any],
        cache: RenderCache,
        results: Results,
        with_token: bool,
    ) -> None:
        (field,) = operation.fields
        self._name = field.name
        self._operation = operation
        self._show = show
        self._bound = bound
        self._access = access
        self._view = source.view
        self._size = source.size
        self._cache = cache
        self._results = results
        self._with_token = with_token
        self._copies_max = 1 + operation.texts_per_record
        """How often a payload and its update hold the bytes of a record."""
        self._latest: tuple[Update | None, Payload | None] = (None, None)
        self._rendering: dict[int, asyncio.Task[Payload]] = {}
        """By the identity of an update, which its task keeps alive, and then what takes it out."""

    async def render(self, event: Any) -> Payload:
        is_change = isinstance(event, Update) and event.record is not None
        payload = self._cache.get(self, event) if is_change else None
        if payload is None:
            payload = self._plain(event)
            if payload is None:
                return await (self._together(event) if is_change else self._in_turns(event))
            if is_change:
                payload = self._kept(event, payload)
        return payload

    def _together(self, update: Update) -> Awaitable[Payload]:
        """The payload of an update that is rendered in turns, once for all who want it meanwhile."""
        number = id(update)
        rendering = self._rendering.get(number)
        if rendering is None:
            rendering = asyncio.get_running_loop().create_task(self._in_turns(update))
            self._rendering[number] = rendering
            # Until then, no other update may get the identity of this one.
            rendering.add_done_callback(lambda _: self._rendering.pop(id(update)))
        return asyncio.shield(rendering)

    async def _in_turns(self, event: Any) -> Payload:
        budget = self._results.new_budget()
        result = await self._results.of_event(self._completed(event, budget), budget)
        return Payload(result, self._token(event))

    def render_shared(self, update: Update) -> Payload | None:
        # Direct delivery renders one update after the other, each for all of its watchers in turn.
        latest, payload = self._latest
        if latest is update:
            return payload
        record = update.record
        if record is not None and record.size_bytes * self._copies_max > _LATEST_BYTES_MAX:
            return self._render_large(update)
        payload = self._plain(update)
        self._latest = update, payload
        return payload

    def _render_large(self, update: Update) -> Payload | None:
        payload = self._cache.get(self, update)
        if payload is None and (payload := self._plain(update)) is not None:
            payload = self._kept(update, payload)
        return payload

    def _kept(self, update: Update, payload: Payload) -> Payload:
        payload = payload._replace(result=compact(payload.result))
        self._cache.keep(self, update, payload)
        return payload

    def _plain(self, event: Any) -> Payload | None:
        """The payload of an event that is small, has no errors, and is within its budget; None for any other."""
        if self._operation.is_large(*self._size(event)):
            return None
        try:
            result = encode({"data": {self._name: self._show(self._view(event))}})
        except Exception:  # noqa: BLE001 - found again, with its path
            return None
        if len(result) > self._results.bytes_max:
            return None
        self._results.renderings.count += 1
        return Payload(result, self._token(event))

    async def _completed(self, event: Any, budget: Budget) -> Result:
        view, size = self._view(event), self._size(event)
        return await self._operation.result((view,), self._bound, self._access, budget, *size, is_begun=True)

    def _token(self, event: Any) -> bytes | None:
        return token_of(event).encode() if self._with_token else None


class GraphQLCoreRenderer:
    """Renders events by graphql-core, for one subscriber."""

    def __init__(
        self,
        executor: MeteredExecutor,
        new_operation: Callable[[], Operation],
        source: Source[Any],
        results: Results,
        *,
        with_token: bool,
    ) -> None:
        self._executor = executor
        self._new_operation = new_operation
        self._view = source.view
        self._results = results
        self._with_token = with_token and source.updates

    async def render(self, event: Any) -> Payload:
        operation = self._new_operation()
        result = await self._results.of_event(self._completed(event, operation), operation.budget)
        return Payload(result, token_of(event).encode() if self._with_token else None)

    def render_shared(self, update: Update) -> Payload | None:
        """None: what graphql-core executes may depend on the subscriber."""
        return None

    async def _completed(self, event: Any, operation: Operation) -> Result:
        executor: Any = self._executor.build_per_event_executor(self._view(event))
        executor.context_value = operation
        found = executor.execute_operation(serially=False)
        result = await found if executor.is_awaitable(found) else found
        return Result(result.data, result.errors or [], True)


def _kept_bytes(update: Update, payload: Payload) -> int:
    """About the memory that a kept payload takes: its update's record, which the feed may have dropped, included."""
    record = 0 if update.record is None else update.record.size_bytes
    return _BYTES_PER_PAYLOAD + max(len(payload.result), record)
