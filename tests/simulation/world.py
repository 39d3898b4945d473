"""A deterministic world: virtual time, and SQLite without threads."""

import asyncio
import selectors
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from kvs_graphql.compat.aiosqlite import Work
from kvs_graphql.store import Store, WindowLimits
from kvs_graphql.store.schema import prepare

P = ParamSpec("P")
T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Advances the clock to the next timer instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("deadlock: nothing left to wait for")
        self.now += max(0.0, timeout)
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, in virtual time; the same work and the same seed take the same course every time."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(work)


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in virtual time."""

    @wraps(test)
    def run_test(*args: P.args, **kwargs: P.kwargs) -> None:
        run(test(*args, **kwargs))

    return run_test


async def everything_possible() -> None:
    """Let every task do what it can without news: virtual time passes only while nobody has anything to do."""
    await asyncio.sleep(0.001)


class _InlineDatabase:
    """A database on disk that runs transactions in the caller's thread, after other tasks had their turn."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.open()

    def open(self) -> None:
        self._connection = sqlite3.connect(self._path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous=OFF")

    def close(self) -> None:
        self._connection.close()

    async def swap(self, other: Path) -> None:
        await asyncio.sleep(0)
        self.close()
        other.replace(self._path)
        self.open()
        await asyncio.sleep(0)

    async def transaction(self, work: Work[T]) -> T:
        await asyncio.sleep(0)
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(self._connection)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return result

    def read(self, statement: str) -> dict[bytes, bytes]:
        return dict(self._connection.execute(statement))

    async def snapshot(self, work: Work[T], *, is_queued: bool = True) -> T:
        result = await self.transaction(work)
        # Between a read and its use, anything may happen.
        await asyncio.sleep(0)
        return result


class InlineStore(Store):
    """The real store over the real SQLite, without threads."""

    def __init__(self, database: _InlineDatabase, limits: WindowLimits, path: Path, table: str = "") -> None:
        super().__init__(database, limits, path, table)  # type: ignore[arg-type]
        self._inline = database

    def entries(self) -> dict[bytes, bytes]:
        """Read the whole table, at once."""
        return self._inline.read("SELECT key, value FROM entry WHERE value IS NOT NULL")

    @asynccontextmanager
    async def shadow(self) -> AsyncIterator[Store]:
        await self.remove_shadow()
        async with open_inline_store(self._shadow_path, self._limits) as shadow:
            yield shadow

    async def remove_shadow(self) -> None:
        self._shadow_path.unlink(missing_ok=True)


@asynccontextmanager
async def open_inline_store(path: Path, limits: WindowLimits, table: str = "") -> AsyncIterator[InlineStore]:
    """Open the real store over the real SQLite, without threads."""
    with closing(_InlineDatabase(path)) as database:
        await database.transaction(prepare)
        store = InlineStore(database, limits, path, table)
        await store.reload()
        yield store
