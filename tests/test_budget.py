"""An operation that exceeds its budget is ended, with an error that names the setting; large ones wait for room."""

import asyncio
import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest

from kvs_graphql.budget import Budget, Workload
from kvs_graphql.errors import BudgetExceeded
from kvs_graphql.turns import Aside, InTurns
from tests.applications import BUDGET_LIMITS
from tests.deadline import SECONDS_MAX

ONE = replace(BUDGET_LIMITS, response_bytes_max=1, errors_max=1, large_operations_max=1)


@pytest.mark.parametrize(
    ("use", "setting"),
    [
        (lambda budget: budget.add_bytes(1), "KVS_RESPONSE_BYTES_MAX"),
        (lambda budget: budget.add_error(), "KVS_ERRORS_PER_RESPONSE_MAX"),
    ],
)
async def test_use_within_a_limit_of_one_is_allowed_and_beyond_it_refused(
    use: Callable[[Budget], None], setting: str
) -> None:
    budget = Budget(Workload(ONE))
    use(budget)
    with pytest.raises(BudgetExceeded) as refused:
        use(budget)
    assert refused.value.details == {"limit": 1, "setting": setting}


async def test_operation_that_takes_too_long_is_ended_at_its_next_turn() -> None:
    budget = Budget(Workload(replace(ONE, execution_seconds_max=1e-9)))
    seen = []
    with pytest.raises(BudgetExceeded) as refused:
        async for item in budget.in_turns(range(10**9)):
            seen.append(item)  # noqa: PERF401 - what came before the error counts
    assert seen
    assert refused.value.details == {"limit": 1e-9, "setting": "KVS_EXECUTION_SECONDS_MAX"}


async def test_operation_without_room_is_refused_once_for_all_its_parts() -> None:
    workload = Workload(replace(ONE, execution_seconds_max=1e-9))
    first, second = Budget(workload), Budget(workload)
    await first.enlarge()
    with pytest.raises(BudgetExceeded):
        await second.enlarge()
    first.close()
    with pytest.raises(BudgetExceeded):
        await second.enlarge()
    await first.enlarge()


async def test_room_that_comes_after_the_end_of_an_operation_is_left_to_others() -> None:
    workload = Workload(ONE)
    first, ended, other = Budget(workload), Budget(workload), Budget(workload)
    await first.enlarge()
    waiting = asyncio.create_task(ended.enlarge())
    await asyncio.sleep(0)
    ended.end()
    first.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(SECONDS_MAX):
        await other.enlarge()


async def test_large_operations_beyond_the_limit_wait_for_one_to_end() -> None:
    workload = Workload(ONE)
    first, second = Budget(workload), Budget(workload)
    await first.enlarge()
    await first.enlarge()
    waiting = asyncio.create_task(second.enlarge())
    await asyncio.sleep(0)
    assert not waiting.done()
    first.close()
    first.close()
    await waiting
    second.close()


async def test_large_operation_that_waits_for_others_gives_its_room_back_and_goes_on_once_all_waits_are_over() -> None:
    workload = Workload(ONE)
    first, second = Budget(workload), Budget(workload)
    await first.enlarge()
    with first.waiting():
        with first.waiting():
            async with asyncio.timeout(SECONDS_MAX):
                await second.enlarge()
            going_on = [asyncio.create_task(first.turn()) for _ in range(2)]
            second.close()
        await asyncio.sleep(0)
        async with asyncio.timeout(SECONDS_MAX):
            await second.enlarge()
    await asyncio.sleep(0)
    assert not any(one.done() for one in going_on), "there is no room"
    second.close()
    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*going_on)
    waiting = asyncio.create_task(second.enlarge())
    await asyncio.sleep(0)
    assert not waiting.done(), "both parts of it have one room"
    first.close()
    await waiting


async def test_operation_does_not_take_too_long_by_waiting_for_others() -> None:
    budget = Budget(Workload(replace(ONE, execution_seconds_max=1.0)))
    await budget.turn()
    with budget.waiting():
        await asyncio.sleep(1.1)
    await budget.turn()


async def test_large_operation_that_waits_in_vain_is_refused() -> None:
    workload = Workload(replace(ONE, execution_seconds_max=0.01))
    first: Any = Budget(workload)
    await first.enlarge()
    with pytest.raises(BudgetExceeded) as refused:
        await Budget(workload).enlarge()
    assert refused.value.details == {"limit": 1, "setting": "KVS_LARGE_OPERATIONS_MAX"}
    first.close()
    await Budget(workload).enlarge()


async def test_operation_that_waits_too_long_for_work_aside_is_ended_without_that_work() -> None:
    workload = Workload(replace(BUDGET_LIMITS, execution_seconds_max=0.1))
    others_are_done, done = threading.Event(), list[None]()

    def pieces() -> Generator[Any, Any, None]:
        yield Aside(lambda: done.append(None))

    others = asyncio.create_task(workload.aside(others_are_done.wait))
    await asyncio.sleep(0)
    try:
        async with asyncio.timeout(SECONDS_MAX):
            with pytest.raises(BudgetExceeded, match="seconds of execution"):
                await Budget(workload).finish(InTurns(pieces()))
    finally:
        others_are_done.set()
    await others
    await workload.aside(lambda: None)
    assert not done
