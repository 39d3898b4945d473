"""How long to wait for records: longer where none came for a while, if there are many tables.

A broker answers a waiting fetch as soon as there is a record, so a longer wait delays none. But each empty answer costs
both sides some work, ten times a second for each table. So all idle tables together, up to 50, get 20 a second. Waits
grow only after a second without records: until then, a fetch may leave out a partition whose last records are being
applied, and that partition would wait as long.
"""

FETCH_WAIT_MS = 100
"""The embedded broker answers a waiting fetch only when its wait is over."""
_IDLE_WAIT_MS_PER_TABLE = 50
_IDLE_WAIT_MS_MAX = 2_500
_EMPTY_ANSWERS_MAX = 10


def idle_wait_ms(tables: int) -> int:
    """Return how long each of so many tables waits while it has no records to read."""
    return min(_IDLE_WAIT_MS_MAX, max(FETCH_WAIT_MS, tables * _IDLE_WAIT_MS_PER_TABLE))


class FetchWaits:
    """The wait of one who asks for records again and again."""

    def __init__(self, idle_ms: int) -> None:
        self._idle_ms = idle_ms
        self._empty = 0

    @property
    def next_ms(self) -> int:
        """How long to wait the next time."""
        return self._idle_ms if self._empty >= _EMPTY_ANSWERS_MAX else FETCH_WAIT_MS

    def answered(self, *, empty: bool) -> None:
        """Note an answer, and whether it had no records."""
        self._empty = self._empty + 1 if empty else 0
