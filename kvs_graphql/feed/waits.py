"""Waits for positions to be published."""

import asyncio
from heapq import heapify, heappop, heappush
from itertools import count

from kvs_graphql.errors import Unavailable
from kvs_graphql.records import Positions, position_in

_ABANDONED_MIN = 64

_Wait = tuple[int, int, Positions, asyncio.Future[None]]


class PositionWaits:
    """Waits by the positions they need. A wait is kept under one partition that it still lacks, so that a commit
    examines only the waits that it may end."""

    def __init__(self) -> None:
        self._by_partition: dict[int, list[_Wait]] = {}
        self._order = count()
        self._abandoned = 0

    def __len__(self) -> int:
        return sum(map(len, self._by_partition.values()))

    def add(self, reached: Positions, wanted: Positions) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        self._keep(reached, wanted, future)
        future.add_done_callback(self._on_done)
        return future

    def reached(self, positions: Positions) -> None:
        for partition, waits in list(self._by_partition.items()):
            while waits and (waits[0][3].done() or waits[0][0] <= position_in(positions, partition)):
                _, _, wanted, future = heappop(waits)
                if not future.done():
                    self._keep(positions, wanted, future)
            if not waits:
                del self._by_partition[partition]

    def close(self) -> None:
        for waits in self._by_partition.values():
            for *_, future in waits:
                if not future.done():
                    future.set_exception(Unavailable("The service is stopping."))
        self._by_partition.clear()

    def _on_done(self, future: asyncio.Future[None]) -> None:
        """Drop the waits that were cancelled, once they are the majority: their positions may never be reached."""
        if not future.cancelled():
            return
        self._abandoned += 1
        if self._abandoned < max(_ABANDONED_MIN, len(self) // 2):
            return
        self._abandoned = 0
        for partition, waits in list(self._by_partition.items()):
            self._by_partition[partition] = [wait for wait in waits if not wait[3].done()]
            heapify(self._by_partition[partition])

    def _keep(self, reached: Positions, wanted: Positions, future: asyncio.Future[None]) -> None:
        for partition, offset in enumerate(wanted):
            if position_in(reached, partition) < offset:
                heappush(self._by_partition.setdefault(partition, []), (offset, next(self._order), wanted, future))
                return
        future.set_result(None)
