"""The batch loader answers together what is asked together, and leaves nobody waiting."""

import asyncio
import time
from collections.abc import Sequence

import pytest

from kvs_graphql.service.batch_loader import BatchLoader


class Answers:
    """Doubles numbers, a batch at a time, as soon as the test opens the gate."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()

    async def __call__(self, asked: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(list(asked))
        await self.gate.wait()
        return [2 * number if number >= 0 else ValueError(number) for number in asked]

    async def until_busy(self, batches: int = 1) -> None:
        while len(self.batches) < batches:  # noqa: ASYNC110 - turns of the event loop, not time
            await asyncio.sleep(0)


async def test_lone_caller_waits_for_nobody() -> None:
    answers = Answers()
    answers.gate.set()
    assert await BatchLoader(answers).load(1) == 2
    assert answers.batches == [[1]]


async def test_callers_of_the_same_turn_share_a_batch() -> None:
    answers = Answers()
    answers.gate.set()
    loader = BatchLoader(answers)
    assert await asyncio.gather(*(loader.load(number) for number in (3, 1, 3))) == [6, 2, 6]
    assert answers.batches == [[3, 1, 3]]


async def test_callers_during_a_batch_share_the_next_one() -> None:
    answers = Answers()
    loader = BatchLoader(answers)
    first = loader.load(1)
    await answers.until_busy()
    later = [loader.load(2)]
    await asyncio.sleep(0)
    later.append(loader.load(3))
    answers.gate.set()
    assert await asyncio.gather(first, *later) == [2, 4, 6]
    assert answers.batches == [[1], [2, 3]]


async def test_idle_loader_begins_again() -> None:
    answers = Answers()
    answers.gate.set()
    loader = BatchLoader(answers)
    for number in range(3):
        assert await loader.load(number) == 2 * number
    assert answers.batches == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("cost_max", "batches"),
    [(1, [[1], [1], [5], [1]]), (2, [[1, 1], [5], [1]]), (6, [[1, 1], [5, 1]]), (None, [[1, 1, 5, 1]])],
)
async def test_batch_keeps_to_its_cost_or_has_one_item(cost_max: int | None, batches: list[list[int]]) -> None:
    answers = Answers()
    answers.gate.set()
    loader = BatchLoader(answers, cost=lambda number: number, batch_cost_max=cost_max)
    await asyncio.gather(*(loader.load(number) for number in (1, 1, 5, 1)))
    assert answers.batches == batches


async def test_exception_in_place_of_an_answer_fails_only_its_caller() -> None:
    answers = Answers()
    answers.gate.set()
    loader = BatchLoader(answers)
    good, bad = loader.load(1), loader.load(-1)
    assert await good == 2
    with pytest.raises(ValueError, match="-1"):
        await bad


async def test_failing_answer_fails_only_its_batch() -> None:
    batches = 0

    async def answer(asked: Sequence[int]) -> Sequence[int]:
        nonlocal batches
        batches += 1
        if batches == 1:
            raise ConnectionError
        return asked

    loader = BatchLoader(answer, batch_cost_max=2)
    first, second, third = [loader.load(number) for number in range(3)]
    for failed in (first, second):
        with pytest.raises(ConnectionError):
            await failed
    assert await third == 2


async def test_cancelled_caller_is_left_out_of_the_next_batch_and_fails_nobody() -> None:
    answers = Answers()
    loader = BatchLoader(answers)
    in_flight, other = loader.load(1), loader.load(2)
    await answers.until_busy()
    waiting, last = loader.load(3), loader.load(4)
    in_flight.cancel()
    waiting.cancel()
    answers.gate.set()
    assert (await other, await last) == (4, 8)
    assert answers.batches == [[1, 2], [4]]


async def test_all_callers_are_cancelled_if_the_answer_is() -> None:
    async def answer(_: Sequence[int]) -> Sequence[int]:
        raise asyncio.CancelledError

    loader = BatchLoader(answer, batch_cost_max=1)
    for waiting in [loader.load(number) for number in range(3)]:
        with pytest.raises(asyncio.CancelledError):
            await waiting


async def test_early_answers_arrive_before_the_batch_is_over_and_once() -> None:
    over = asyncio.Event()

    async def answer(asked: Sequence[int]) -> Sequence[int | Exception]:
        answers = [2 * number if number >= 0 else ValueError(number) for number in asked]
        await asyncio.to_thread(loader.answer_early, answers)
        await over.wait()
        return answers

    loader = BatchLoader(answer)
    good, bad, cancelled = (loader.load(number) for number in (1, -1, 2))
    cancelled.cancel()
    assert await good == 2
    with pytest.raises(ValueError, match="-1"):
        await bad
    following = loader.load(3)
    over.set()
    assert await following == 6


async def test_batch_that_fails_after_its_early_answers_fails_nobody() -> None:
    async def answer(asked: Sequence[int]) -> Sequence[int]:
        await asyncio.to_thread(loader.answer_early, asked)
        raise ConnectionError

    loader = BatchLoader(answer)
    assert [await loader.load(number) for number in range(2)] == [0, 1]


@pytest.mark.parametrize(("hurries", "batches"), [(True, [[1]]), (False, [[1, 2]])])
async def test_batch_begins_right_after_a_long_round_where_the_loader_hurries(
    hurries: bool, batches: list[list[int]]
) -> None:
    """All who arrived during it have asked, and would wait for another one as long."""
    answers = Answers()
    loader = BatchLoader(answers, hurries=hurries)
    first = loader.load(1)
    time.sleep(0.02)  # noqa: ASYNC251 - it is the round that is to be long
    await asyncio.sleep(0)
    second = loader.load(2)
    await answers.until_busy()
    assert answers.batches == batches
    answers.gate.set()
    assert (await first, await second) == (2, 4)
