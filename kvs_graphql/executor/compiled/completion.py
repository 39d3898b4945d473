"""The values of a selection as GraphQL's specification completes them: errors at their paths, nulls propagated.

Walks the same selection as the compiled function, where something went wrong in that.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from graphql import GraphQLError, GraphQLList, GraphQLNonNull, GraphQLObjectType, located_error

from kvs_graphql.access import Access
from kvs_graphql.executor.compiled.arguments import Bound
from kvs_graphql.executor.compiled.selections import Selected

Path = tuple[str | int, ...]


class Completion:
    """Completes the fields of one answer, and collects their errors in the order of the document."""

    def __init__(self, bound: Bound, access: Access) -> None:
        self.errors: list[GraphQLError] = []
        self._bound = bound
        self._access = access

    def field(self, field: Selected, read: Callable[[], Any], path: Path) -> Any:
        """The value of a field, read by `read`; null, and an error, where that fails and the type is nullable.

        Raises:
            GraphQLError: It fails, and the type is not nullable.
        """
        return self._guarded(field, field.type, read, path)

    def _guarded(self, field: Selected, kind: Any, read: Callable[[], Any], path: Path) -> Any:
        try:
            return self._completed(field, kind, read(), path)
        except Exception as error:
            located = located_error(error, field.nodes, list(path))
            if isinstance(kind, GraphQLNonNull):
                raise located from error
            self.errors.append(located)
            return None

    def _completed(self, field: Selected, kind: Any, value: Any, path: Path) -> Any:
        if isinstance(kind, GraphQLNonNull):
            completed = self._completed(field, kind.of_type, value, path)
            if completed is None:
                name = field.nodes[0].name.value
                raise TypeError(f"Cannot return null for non-nullable field {field.parent}.{name}.")
            return completed
        if value is None:
            return None
        if isinstance(kind, GraphQLList):
            return [
                self._guarded(field, kind.of_type, partial(_same, item), (*path, i)) for i, item in enumerate(value)
            ]
        if isinstance(kind, GraphQLObjectType):
            return {below.name: self._below(below, value, (*path, below.name)) for below in field.below}
        return kind.serialize(value)

    def _below(self, below: Selected, value: Any, path: Path) -> Any:
        return self._guarded(below, below.type, lambda: below.reader(self._bound, self._access)(value), path)


def _same(value: Any) -> Any:
    return value
