"""Where the events of a subscription come from."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from kvs_graphql.records import Record
from kvs_graphql.service import Sink, Update

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Source(Generic[E]):
    """The events of one subscription, before anything is rendered. Resolvers of root fields return it."""

    pages: Callable[[Sink | None], AsyncGenerator[Iterable[E], None]]
    """Begins the events, some at a time; those that the sink takes directly are not among them."""
    view: Callable[[E], Any]
    """The schema's object of an event."""
    size: Callable[[E], tuple[int, int]]
    """How many records an event shows, and how many bytes these have."""
    updates: bool = False
    """Whether the events are `Update`s of keys: these have cursors, and may be delivered directly."""
    prepare: Callable[[E], Awaitable[None]] | None = None
    """Has to be awaited before an event is shown; None where nothing is to be waited for."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        """The schema's objects one by one, as GraphQL's own execution of a subscription wants them."""
        async with aclosing(self.pages(None)) as pages:
            async for page in pages:
                for event in page:
                    if self.prepare is not None:
                        await self.prepare(event)
                    yield self.view(event)


def size_of(records: Sequence[Record | None]) -> tuple[int, int]:
    """How many records there are, and how many bytes they have."""
    return len(records), sum(record.size_bytes for record in records if record is not None)


async def one_by_one(events: AsyncGenerator[E, None]) -> AsyncGenerator[Iterable[E], None]:
    """Events of which each is a page."""
    async with aclosing(events):
        async for event in events:
            yield (event,)


def token_of(event: Any) -> str:
    """The token of the cursor just after an event of a source of `updates`."""
    assert isinstance(event, Update)
    return event.token()
