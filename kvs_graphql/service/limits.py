"""What one request may ask for."""

from dataclasses import dataclass

from kvs_graphql.cursor import Cursor, decode_cursor
from kvs_graphql.errors import BadCursor, BadInput, BadKey, LimitExceeded, TooManyKeys
from kvs_graphql.watch import WatchLimits


@dataclass(frozen=True, slots=True)
class ServiceLimits:
    """The limits of a request, and the checks that hold it to them."""

    keys_per_request_max: int
    key_bytes_max: int
    page_entries_max: int
    counted_entries_max: int
    read_bytes_max: int
    cursor_bytes_max: int
    wait_seconds_max: float
    interval_seconds_min: float
    value_bytes_max: int
    watch: WatchLimits

    def check_number_of_keys(self, number: int) -> None:
        """Raises: TooManyKeys: A request may not name as many."""
        limit = self.keys_per_request_max
        if number > limit:
            raise TooManyKeys(f"The request names {number} keys or more; the limit is {limit}.", limit=limit)

    def key(self, key: bytes) -> bytes:
        """Return the key. Raises: BadKey: It is longer than a key may be."""
        if len(key) > self.key_bytes_max:
            raise BadKey(f"The key is longer than the limit of {self.key_bytes_max} bytes.", limit=self.key_bytes_max)
        return key

    def cursor(self, token: str, table: str) -> Cursor:
        """A table's cursor in a token. Raises: BadCursor: It is longer than allowed, or has no cursor of the table."""
        if len(token) > self.cursor_bytes_max:
            limit = self.cursor_bytes_max
            raise BadCursor(f"The cursor is longer than the limit of {limit} bytes.", limit=limit)
        return decode_cursor(token, table)

    def too_many_bytes(self) -> LimitExceeded:
        """The error of a read that must not end early, and would have more bytes than its request may read."""
        limit, setting = self.read_bytes_max, "KVS_READ_BYTES_MAX"
        message = f"The request reads more than {limit} bytes, the limit of {setting}."
        return LimitExceeded(message, limit=limit, setting=setting)

    def interval(self, asked: float | None) -> float:
        """The seconds between two deliveries. Raises: BadInput: It is shorter than allowed."""
        least = self.interval_seconds_min
        if asked is None:
            return least
        if not asked >= least:
            raise BadInput(f"`interval` is a number of seconds, {least} or more.", limit=least)
        return asked

    def history_length(self, last: int) -> int:
        """Return `last`. Raises: BadInput: It is negative, or longer than a page."""
        if not 0 <= last <= self.page_entries_max:
            raise BadInput(f"`last` must be from 0 to {self.page_entries_max}.", limit=self.page_entries_max)
        return last

    def page_length(self, first: int | None, last: int | None) -> int:
        """How many entries a page has at most. Raises: BadInput: Both are given, or one is out of range."""
        if first is not None and last is not None:
            raise BadInput("`first` and `last` exclude each other.")
        limit = last if first is None else first
        if limit is None:
            return min(100, self.page_entries_max)
        if not 0 <= limit <= self.page_entries_max:
            raise BadInput(
                f"`first` and `last` must be from 0 to {self.page_entries_max}.", limit=self.page_entries_max
            )
        return limit

    def wait_seconds(self, asked: float | None) -> float:
        """How long a read waits at most. Raises: BadInput: The number of seconds is negative."""
        seconds = self.wait_seconds_max if asked is None else asked
        if not seconds >= 0:
            raise BadInput("`maxWait` must be a number of seconds, 0 or more.")
        return min(seconds, self.wait_seconds_max)
