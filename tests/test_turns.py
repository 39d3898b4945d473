"""Turns are given in order, one in each pass of the event loop."""

import asyncio

from kvs_graphql.turns import Turns


class Passes:
    """Counts the passes of the event loop while it is open."""

    def __init__(self) -> None:
        self.number = 0
        self._open = True
        self._tick()

    def _tick(self) -> None:
        self.number += 1
        if self._open:
            asyncio.get_running_loop().call_soon(self._tick)

    def close(self) -> None:
        self._open = False


async def test_each_pass_of_the_event_loop_has_one_turn_in_order_of_arrival() -> None:
    turns, passes, taken = Turns(), Passes(), list[tuple[int, int]]()

    async def work(number: int) -> None:
        for _ in range(3):
            await turns.next()
            taken.append((number, passes.number))

    await asyncio.gather(*(work(number) for number in range(4)))
    passes.close()
    assert [number for number, _ in taken] == [0, 1, 2, 3] * 3
    assert len({at for _, at in taken}) == len(taken), "two turns in one pass"


async def test_one_that_waits_no_more_does_not_hold_up_the_next() -> None:
    turns = Turns()
    first, second = (asyncio.create_task(turns.next()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    await turns.next()
