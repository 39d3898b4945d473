"""Waits for positions to be published."""

import asyncio
from heapq import heappop, heappush
from itertools import count

from kvs_graphql.errors import Unavailable
from kvs_graphql.records import Positions, position_in


class PositionWaits:
    """Waits by the positions they need. A wait is kept under one partition that it still lacks, so that a commit
    examines only the waits that it may end."""

    def __init__(self) -> None:
        self._by_partition: dict[int, list[tuple[int, int, Positions, asyncio.Future[None]]]] = {}
        self._order = count()

    def add(self, reached: Positions, wanted: Positions) -> asyncio.Future[None]:
        future = asyncio.get_running_loop().create_future()
        self._keep(reached, wanted, future)
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

    def _keep(self, reached: Positions, wanted: Positions, future: asyncio.Future[None]) -> None:
        for partition, offset in enumerate(wanted):
            if position_in(reached, partition) < offset:
                heappush(self._by_partition.setdefault(partition, []), (offset, next(self._order), wanted, future))
                return
        future.set_result(None)
