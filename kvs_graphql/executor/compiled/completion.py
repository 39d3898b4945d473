"""The values of a selection as GraphQL's specification completes them: errors at their paths, nulls propagated.

Walks the same selection as the compiled functions, in turns: where one of them failed, to find each error's path, and
where there is so much to show that others would have to wait for it. Small items of lists are shown as wholes, and
encoded at once.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    located_error,
)

from kvs_graphql.access import Access
from kvs_graphql.api import JsonText
from kvs_graphql.budget import Budget
from kvs_graphql.errors import BudgetExceeded
from kvs_graphql.executor.compiled.arguments import Bound
from kvs_graphql.executor.compiled.displays import Show
from kvs_graphql.executor.compiled.selections import Selected, show_of
from kvs_graphql.executor.encoding import encode
from kvs_graphql.turns import InTurns

Path = tuple[str | int, ...]

_TOGETHER_MAX = 32
"""Items that are shown and encoded at once; each takes some microseconds."""


class Completion:
    """Completes the fields of one answer, and collects their errors in the order of the document."""

    def __init__(
        self,
        bound: Bound,
        access: Access,
        budget: Budget,
        small_bytes_max: int,
        *,
        all_are_small: bool,
    ) -> None:
        """Items of lists are shown and encoded as wholes where their records have no more bytes.

        `all_are_small` where all of them together have no more.
        """
        self.errors: list[GraphQLError] = []
        self._bound = bound
        self._access = access
        self._budget = budget
        self._small_bytes_max = small_bytes_max
        self._all_are_small = all_are_small

    async def field(self, field: Selected, read: Callable[[], Any], path: Path) -> Any:
        """The value of a field, read by `read`; null, and an error, where that fails and the type is nullable.

        Raises:
            GraphQLError: It fails, and the type is not nullable.
            BudgetExceeded: The answer as a whole is more than an operation may have.
        """
        return await self._guarded(field, field.type, read, path)

    async def _guarded(self, field: Selected, kind: Any, read: Callable[[], Any], path: Path) -> Any:
        if self._budget.turn_is_over:
            await self._budget.turn()
        try:
            return await self._completed(field, kind, await self._read(read), path)
        except BudgetExceeded:
            raise
        except Exception as error:
            located = located_error(error, field.nodes, list(path))
            if isinstance(kind, GraphQLNonNull):
                raise located from error
            self._budget.add_error()
            self.errors.append(located)
            return None

    async def _read(self, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except InTurns as work:
            return await self._budget.finish(work)

    async def _completed(self, field: Selected, kind: Any, value: Any, path: Path) -> Any:
        if isinstance(kind, GraphQLNonNull):
            completed = await self._completed(field, kind.of_type, value, path)
            if completed is None:
                name = field.nodes[0].name.value
                raise TypeError(f"Cannot return null for non-nullable field {field.parent}.{name}.")
            return completed
        if value is None:
            return None
        if isinstance(kind, GraphQLList):
            return await self._items(field, kind.of_type, value, path)
        if isinstance(kind, GraphQLObjectType):
            return await self._object(field.below, value, path)
        if isinstance(kind, GraphQLUnionType):
            return await self._object(field.choices[value.typename], value.value, path)
        shown = kind.serialize(value)
        if isinstance(shown, Sized):
            self._budget.add_bytes(len(shown))
        return shown

    async def _object(self, fields: Sequence[Selected], value: Any, path: Path) -> dict[str, Any]:
        return {below.name: await self._below(below, value, (*path, below.name)) for below in fields}

    async def _items(self, field: Selected, kind: Any, items: Any, path: Path) -> list[Any]:
        show = self._show(field, kind)
        shown: list[Any] = []
        at = 0
        async for together in self._budget.in_turns(self._together(field, items)):
            if show is None or (whole := self._wholes(field, show, together)) is None:
                whole = [await self._item(field, kind, show, item, (*path, at + n)) for n, item in enumerate(together)]
            shown += whole
            at += len(together)
        return shown

    def _together(self, field: Selected, items: Iterable[Any]) -> Iterator[list[Any]]:
        """The items, as many in one as are shown in a part of a turn."""
        found: list[Any] = []
        left = self._small_bytes_max
        for item in items:
            size = 0 if self._all_are_small else _bytes_of(field, item)
            if found and (size > left or len(found) == _TOGETHER_MAX):
                yield found
                found, left = [], self._small_bytes_max
            found.append(item)
            left -= size
        if found:
            yield found

    def _wholes(self, field: Selected, show: Show, items: Sequence[Any]) -> list[Any] | None:
        """Items shown as wholes, and encoded; None where that takes too long, or fails."""
        if not self._all_are_small and len(items) == 1 and _bytes_of(field, items[0]) > self._small_bytes_max:
            return None
        try:
            # Without the brackets, several items in the list that they are part of.
            encoded = encode(show(items))[1:-1]
        except Exception:  # noqa: BLE001 - found again, with its path
            return None
        self._budget.add_bytes(len(encoded))
        return [JsonText(encoded)]

    async def _item(self, field: Selected, kind: Any, show: Show | None, item: Any, path: Path) -> Any:
        whole = None if show is None else self._wholes(field, show, [item])
        if whole is not None:
            return whole[0]
        return await self._guarded(field, kind, partial(_same, item), path)

    def _show(self, field: Selected, kind: Any) -> Show | None:
        """How some items are shown as wholes; None where they have to be shown in parts."""
        try:
            return show_of(field, GraphQLList(kind), self._bound, self._access) or list
        except GraphQLError:
            return None

    async def _below(self, below: Selected, value: Any, path: Path) -> Any:
        return await self._guarded(below, below.type, lambda: below.reader(self._bound, self._access)(value), path)


def _bytes_of(field: Selected, item: Any) -> int:
    """The bytes of the record that an item shows: an entry does, an edge of it, a revision."""
    if field.part is not None:
        # Typed data, which may have a field of that name.
        return 0
    record = getattr(getattr(item, "node", item), "record", None)
    return 0 if record is None else record.size_bytes


def _same(value: Any) -> Any:
    return value
