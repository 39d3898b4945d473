"""The ids of schemas that framed keys and values begin with, noticed as they are committed."""

import asyncio
from collections.abc import Iterable, Sequence

from kvs_graphql.records import Record

SCHEMA_IDS_MAX = 1_000
"""Schema ids noticed per table. A topic that has more holds something else: these are looked up when they are read."""

_FRAME_BYTES = 5


class SchemaIds:
    """Notices ids; of which parts of records, is up to the table's formats."""

    def __init__(self, *, of_keys: bool = False, of_values: bool = False) -> None:
        self.found: set[int] = set()
        """Those of keys and of values."""
        self.in_keys: set[int] = set()
        self.changed = asyncio.Event()
        """Set with each id that was found; to be cleared by the one who takes them."""
        self._of_keys = of_keys
        self._of_values = of_values
        self._frames: tuple[set[bytes], set[bytes]] = set(), set()
        """What keys begin with, and values, whatever it is."""

    @property
    def are_wanted(self) -> bool:
        return self._of_keys or self._of_values

    def add_in_keys(self, ids: Iterable[int]) -> None:
        """Add ids that keys begin with, found in another way."""
        self.in_keys |= set(ids)
        self.found |= self.in_keys
        self.changed.set()

    def notice(self, records: Sequence[Record]) -> None:
        """Notice the ids in records."""
        if self._of_values:
            self._add({value[:_FRAME_BYTES] for record in records if (value := record.value)}, 1)
        if self._of_keys:
            self._add({record.key[:_FRAME_BYTES] for record in records}, 0)

    def _add(self, frames: set[bytes], part: int) -> None:
        known = self._frames[part]
        new = frames - known
        if not new or len(known) >= SCHEMA_IDS_MAX:
            return
        known |= new
        ids = {int.from_bytes(frame[1:]) for frame in new if len(frame) == _FRAME_BYTES and not frame[0]}
        if not part:
            self.in_keys |= ids
        if ids:
            self.found |= ids
            self.changed.set()
