"""A number of bytes that many subscriptions hold together."""

from contextlib import AbstractContextManager

from kvs_graphql.errors import LimitExceeded


class ByteBudget:
    """Refuses those who want more than is left. `setting` is the variable that sets its limit."""

    def __init__(self, bytes_max: int, setting: str, what: str) -> None:
        """`what` names the bytes, in the plural, for the error of those who are refused."""
        self._bytes_max = bytes_max
        self._setting = setting
        self._what = what
        self.used = 0

    def held(self, size: int) -> AbstractContextManager[None]:
        """Hold so many bytes for as long as the context is open.

        Raises:
            LimitExceeded: That many are not left; raised when the context is opened.
        """
        return _Holding(self, size)

    def take(self, size: int) -> None:
        """Take so many bytes, until they are given back.

        Raises:
            LimitExceeded: That many are not left.
        """
        if self.used + size > self._bytes_max:
            raise LimitExceeded.of(self._setting, self._bytes_max, self._what)
        self.used += size

    def give_back(self, size: int) -> None:
        """Give back what was taken."""
        self.used -= size


class _Holding(AbstractContextManager[None]):
    """Every open subscription has one: it must be small."""

    __slots__ = ("_budget", "_size")

    def __init__(self, budget: ByteBudget, size: int) -> None:
        self._budget = budget
        self._size = size

    def __enter__(self) -> None:
        self._budget.take(self._size)

    def __exit__(self, *_: object) -> None:
        self._budget.give_back(self._size)
