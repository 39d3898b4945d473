"""The pages in hand: what watches have read ahead of their clients, bounded in bytes over all of them.

They are a cache. Where there is no room for another page, the page whose client has not read for longest is dropped;
its watch reads on from the last update that the client got. So clients that do not read hold up nobody. The more pages
there are, the shorter is each.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Generic, Self, TypeVar

from kvs_graphql.feed import Update
from kvs_graphql.records import Record

T = TypeVar("T", Record, Update)

_ITEM_BYTES = 400
"""What a record or an update takes beside its key, value and headers."""


class PageInHand(AbstractContextManager["PageInHand[T]"], Generic[T]):
    """Records or updates that were read, in order; counted for as long as the context is open."""

    __slots__ = ("_items", "_pages", "dropped", "size")

    def __init__(self, pages: "PagesInHand", items: Iterable[T]) -> None:
        self._pages = pages
        self._items: deque[T] = deque(items)
        self.size = sum(_ITEM_BYTES + _size_of(item) for item in self._items)
        self.dropped = False
        """Whether the rest of it was given up for another page."""

    def __bool__(self) -> bool:
        return bool(self._items)

    def __enter__(self) -> Self:
        self._pages.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._pages.remove(self)

    def some(self, number: int, bytes_max: int) -> Iterator[T]:
        """Take up to `number` items, one by one as they are asked for; none once the page is dropped."""
        self._pages.touch(self)
        items, size = self._items, 0
        while items and number > 0 and size < bytes_max:
            number -= 1
            item = items.popleft()
            size += _size_of(item)
            yield item

    def drop(self) -> None:
        """Give up what was not taken yet."""
        self.dropped = bool(self._items)
        self._items.clear()


class PagesInHand:
    """All pages of the watches of one table."""

    def __init__(self, bytes_max: int, page_bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._page_bytes_max = page_bytes_max
        self._pages: OrderedDict[PageInHand[Any], None] = OrderedDict()
        """The one whose client has not read for longest comes first."""
        self.size = 0

    @property
    def page_bytes(self) -> int:
        """Bytes after which the next page ends."""
        # Half of an equal share: a page has that much again in what its items take beside their bytes.
        return max(1, min(self._page_bytes_max, self._bytes_max // (2 * len(self._pages) + 2)))

    @property
    def page_items(self) -> int:
        """How many items the next page has at most, for small ones take memory too."""
        return max(1, self.page_bytes // _ITEM_BYTES)

    def add(self, page: PageInHand[Any]) -> None:
        """Count a page, and drop others where there is no room for it."""
        self._pages[page] = None
        self.size += page.size
        while self.size > self._bytes_max and len(self._pages) > 1:
            oldest = next(iter(self._pages))
            oldest.drop()
            self.remove(oldest)

    def touch(self, page: PageInHand[Any]) -> None:
        """Note that the page's client reads."""
        if page in self._pages:
            self._pages.move_to_end(page)

    def remove(self, page: PageInHand[Any]) -> None:
        """Count the page no more."""
        if page in self._pages:
            del self._pages[page]
            self.size -= page.size


def _size_of(item: Record | Update) -> int:
    record = item.record if isinstance(item, Update) else item
    return 0 if record is None else record.size_bytes
