"""The schema of each principal: who may use the same tables in the same way has the same one."""

from collections.abc import Callable, Collection

from cachetools import LRUCache

from kvs_graphql.access import Access, Visible
from kvs_graphql.executor import Executor

_SCHEMAS_MAX = 32
"""Kept at once; another one takes tens of milliseconds to build."""


class Schemas:
    """Builds schemas when they are needed first."""

    def __init__(self, whole: Executor, tables: Collection[str], build: Callable[[Visible], Executor] | None) -> None:
        """`whole` is for those who may do everything; `build` is None where all may."""
        self.whole = whole
        self._tables = tables
        self._build = build
        self._built: LRUCache[Visible, Executor] = LRUCache(_SCHEMAS_MAX)

    def of(self, access: Access) -> Executor:
        """The executor of a principal's schema."""
        if access.grants is None or self._build is None:
            return self.whole
        visible = Visible.to(access.grants, self._tables)
        served = self._built.get(visible)
        if served is None:
            served = self._built[visible] = self._build(visible)
        return served
