"""Turns on the event loop: a few in each round, first come, first served."""

import asyncio

from kvs_graphql.turns import Turns
from tests.passes import Passes
from tests.simulation.world import everything_possible, in_virtual_time


async def test_each_round_of_the_event_loop_has_one_turn() -> None:
    turns, passes, taken = Turns(), Passes(), list[tuple[int, int]]()

    async def work(number: int) -> None:
        for _ in range(3):
            await turns.next()
            taken.append((number, passes.number))

    await asyncio.gather(*(work(number) for number in range(4)))
    passes.close()
    assert sorted(number for number, _ in taken) == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len({at for _, at in taken}) == len(taken), "two turns in one round"


@in_virtual_time
async def test_many_take_turns_and_others_go_on_between() -> None:
    turns, course = Turns(turns_per_round=2), list[str]()

    async def work(name: str) -> None:
        for _ in range(3):
            await turns.next()
            course.append(name)

    async def other() -> None:
        while len(course) - course.count("-") < 12:
            course.append("-")
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        for name in "abcd":
            tasks.create_task(work(name))
        tasks.create_task(other())
    between = "".join(course).split("-")
    assert max(map(len, between)) == 2
    # The first one finds nobody waiting twice.
    assert "".join(between) == "aa" + "abcd" + "bcd" * 2


@in_virtual_time
async def test_lone_one_waits_for_nobody_within_its_share() -> None:
    turns = Turns(turns_per_round=2)
    for _ in range(2):
        turn = turns.next()
        try:
            turn.send(None)
        except StopIteration:
            continue
        raise AssertionError("it waited")


@in_virtual_time
async def test_one_who_leaves_holds_up_nobody() -> None:
    turns = Turns(turns_per_round=1)
    await turns.next()
    waiting = [asyncio.create_task(turns.next()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await everything_possible()
    assert [task.cancelled() for task in waiting] == [False, True, False]
    assert all(task.done() for task in waiting)
