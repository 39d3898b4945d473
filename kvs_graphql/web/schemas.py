"""The schema of each principal: who may use the same tables in the same way has the same one."""

from collections.abc import Callable, Collection

from cachetools import LRUCache

from kvs_graphql.access import Access, Grants, Visible
from kvs_graphql.executor import Executor

_SCHEMAS_MAX = 32
"""Kept at once; another one takes tens of milliseconds to build."""
_GRANTS_MAX = 1_024
"""What so many sets of grants let see is remembered: with many tables, finding it out takes longer than a read."""


class Schemas:
    """Builds schemas when they are needed first."""

    def __init__(self, whole: Executor, tables: Collection[str], build: Callable[[Visible], Executor] | None) -> None:
        """`whole` is for those who may do everything; `build` is None where all may."""
        self.whole = whole
        self._tables = tables
        self._build = build
        self._built: LRUCache[Visible, Executor] = LRUCache(_SCHEMAS_MAX)
        self._visible: LRUCache[Grants, Visible] = LRUCache(_GRANTS_MAX)
        self._latest: tuple[Grants | None, Executor] = (None, whole)

    def of(self, access: Access) -> Executor:
        """The executor of a principal's schema."""
        grants = access.grants
        if grants is None or self._build is None:
            return self.whole
        latest, served = self._latest
        if latest is not grants:
            served = self._served(grants, self._build)
            self._latest = grants, served
        return served

    def _served(self, grants: Grants, build: Callable[[Visible], Executor]) -> Executor:
        visible = self._visible.get(grants)
        if visible is None:
            visible = self._visible[grants] = Visible.to(grants, self._tables)
        served = self._built.get(visible)
        if served is None:
            served = self._built[visible] = build(visible)
        return served
