"""What principals ask for of a table and may not do: counted, and logged at a bounded rate.

No key is logged: those who read the log may have no right to read the table.
"""

import time
from collections.abc import Callable, Sequence

import structlog

from kvs_graphql.access import Access, Verb, within
from kvs_graphql.records import Interest
from kvs_graphql.throttle import Throttle

log = structlog.get_logger(__name__)

_LOG_SECONDS = 1.0


class Denials:
    """Those of one table, which has that name; empty for the only one."""

    def __init__(self, table: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._table = {"table": table} if table else {}
        self._log = Throttle(_LOG_SECONDS, clock)
        self._listener: Callable[[Verb], None] = lambda _: None
        self._unlogged = 0

    def listen(self, listener: Callable[[Verb], None]) -> None:
        """Call `listener` for each denial, with what was asked for."""
        self._listener = listener

    def add(self, access: Access, verb: Verb) -> None:
        """Count that a principal may not do that."""
        self._listener(verb)
        if not self._log.allow():
            self._unlogged += 1
            return
        log.info("denied", principal=access.principal, verb=verb.value, **self._table, not_logged=self._unlogged)
        self._unlogged = 0

    def add_keys(self, access: Access, prefixes: tuple[bytes, ...], keys: Sequence[bytes]) -> None:
        """Count a read of keys of which a principal may not read some."""
        for key in keys:
            if not key.startswith(prefixes):
                self.add(access, Verb.READ)
                return

    def add_prefix(self, access: Access, prefixes: tuple[bytes, ...], prefix: bytes) -> None:
        """Count a read of the keys with a prefix, of which a principal may read none."""
        if not within(prefixes, prefix):
            self.add(access, Verb.READ)

    def add_interest(self, access: Access, prefixes: tuple[bytes, ...], interest: Interest) -> None:
        """Count a watch of keys of which a principal may not read some, or of a prefix of which it may read none."""
        self.add_keys(access, prefixes, tuple(interest.keys or ()))
        if interest.keys is None or interest.prefix is not None:
            self.add_prefix(access, prefixes, interest.prefix or b"")
