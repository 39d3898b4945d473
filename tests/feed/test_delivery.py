"""Direct delivery: every update once and in order; a watcher whose sink has no room takes the rest itself."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed import Feed, Flush, LogBudget, Sink, Update, Watcher, WatcherState
from kvs_graphql.records import Commit, Interest, Record
from tests.feed.source import MANY, Source

EVERYTHING = Interest()


class DirectFeed:
    """A feed of one partition that delivers directly to one sink, for as long as that has room."""

    def __init__(self, *, changes_max: int = 1_000, steps_per_turn: int = 1_000) -> None:
        self.budget = LogBudget(changes_max=changes_max, bytes_max=10**6)
        self.feed = Feed(Cursor(bytes(16), (0,)), self.budget, steps_per_turn=steps_per_turn)
        self.keys: list[bytes] = []
        self.room = 1_000
        self.value = b"v"
        self._unsent: list[bytes] = []

    def publish(self, *keys: bytes) -> None:
        """Publish one commit."""
        (start,) = self.feed.positions
        changes = [Record(key, self.value, 0, start + number, None, None) for number, key in enumerate(keys)]
        self.feed.publish(Commit((start,), (start + len(keys),), changes, len(keys)))

    @property
    def sink(self) -> Sink:
        return Sink(key_of, self._take)

    def _take(self, key: bytes) -> Flush | None:
        if len(self.keys) + len(self._unsent) >= self.room:
            return None
        self._unsent.append(key)
        return self._send

    def _send(self) -> None:
        self.keys += self._unsent
        self._unsent.clear()

    @contextmanager
    def watching(self, interest: Interest = EVERYTHING) -> Iterator[Watcher]:
        with self.feed.watch(interest, self.feed.positions) as watcher, watcher.direct(self.sink):
            yield watcher

    def left_to(self, watcher: Watcher) -> list[bytes]:
        """Return the keys that the watcher has to take itself."""
        return [update.record.key for update in watcher.take(100, MANY) if update.record is not None]


def key_of(update: Update) -> bytes:
    assert update.record is not None
    return update.record.key


async def turns(number: int = 5) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("interest", "keys"),
    [
        (EVERYTHING, [b"a", b"p/1", b"a", b"b"]),
        (Interest(keys=frozenset({b"a"})), [b"a", b"a"]),
        (Interest(prefix=b"p/"), [b"p/1"]),
        (Interest(keys=frozenset({b"p/1", b"b"}), prefix=b"p/"), [b"p/1", b"b"]),
        (Interest(keys=frozenset({b"z"})), []),
    ],
)
async def test_watcher_gets_what_matches_its_interest_once_and_is_not_woken(
    interest: Interest, keys: list[bytes]
) -> None:
    delivery = DirectFeed()
    with delivery.watching(interest) as watcher:
        waiting = asyncio.create_task(watcher.wait())
        delivery.publish(b"a", b"p/1")
        delivery.publish(b"a", b"b")
        await turns()
        assert delivery.keys == keys
        assert not waiting.done()
        waiting.cancel()
    assert delivery.left_to(watcher) == []
    assert watcher.positions == (4,)


async def test_watcher_without_room_is_woken_and_takes_the_rest_of_the_commit_itself() -> None:
    delivery = DirectFeed()
    delivery.room = 3
    with delivery.watching() as watcher:
        waiting = asyncio.create_task(watcher.wait())
        delivery.publish(b"a", b"b")
        delivery.publish(b"c", b"d")
        delivery.publish(b"e")
        await waiting
        assert delivery.keys == [b"a", b"b", b"c"]
        assert delivery.left_to(watcher) == [b"d", b"e"]


async def test_update_that_fails_to_render_is_taken_by_the_watcher_itself() -> None:
    delivery = DirectFeed()

    def fail(_: Update) -> bytes:
        raise ValueError

    with delivery.feed.watch(EVERYTHING, (0,)) as watcher, watcher.direct(Sink(fail, lambda _: lambda: None)):
        delivery.publish(b"a")
        await watcher.wait()
        assert delivery.left_to(watcher) == [b"a"]


async def test_watcher_that_joins_during_a_delivery_gets_nothing_twice() -> None:
    early, late = DirectFeed(steps_per_turn=1), DirectFeed()
    with early.watching():
        early.publish(b"a", b"b", b"c")
        with early.feed.watch(EVERYTHING, (0,)) as watcher:
            assert late.left_to(watcher) == [b"a", b"b", b"c"]
            with watcher.direct(late.sink):
                early.publish(b"d")
                await turns(20)
        assert early.keys == [b"a", b"b", b"c", b"d"]
        assert late.keys == [b"d"]


async def test_other_tasks_run_between_the_turns_of_a_delivery() -> None:
    delivery = DirectFeed(steps_per_turn=1)
    with delivery.watching():
        delivery.publish(*[b"%d" % number for number in range(100)])
        await turns(10)
        assert 0 < len(delivery.keys) < 30


async def test_large_values_end_a_turn_early() -> None:
    delivery = DirectFeed(steps_per_turn=100)
    delivery.value = bytes(400_000)
    with delivery.watching():
        delivery.publish(b"a", b"b", b"c")
        await turns(1)
        assert delivery.keys == [b"a"]
        await turns()
        assert delivery.keys == [b"a", b"b", b"c"]


async def test_updates_of_a_turn_are_sent_together_before_any_task_runs() -> None:
    sent: list[int] = []
    rendered: list[bytes] = []

    def take(key: bytes) -> Flush | None:
        rendered.append(key)
        return (lambda: sent.append(len(rendered))) if len(rendered) <= 3 else None

    delivery = DirectFeed()
    with delivery.feed.watch(EVERYTHING, (0,)) as watcher, watcher.direct(Sink(key_of, take)):
        waiting = asyncio.create_task(watcher.wait())
        await turns(1)
        delivery.publish(b"a", b"b", b"c", b"d")
        waiting.add_done_callback(lambda _: sent.append(0))
        await waiting
        await turns(1)
    assert sent == [4, 4, 4, 0]


async def test_failure_to_send_to_one_watcher_stops_no_other() -> None:
    delivery = DirectFeed()
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def fail() -> None:
        raise ConnectionError

    with (
        delivery.feed.watch(EVERYTHING, (0,)) as broken,
        broken.direct(Sink(key_of, lambda _: fail)),
        delivery.watching(),
    ):
        delivery.publish(b"a", b"b")
        await turns()
    assert delivery.keys == [b"a", b"b"]
    assert [type(error) for error in reported] == [ConnectionError, ConnectionError]


async def test_changes_dropped_by_the_log_are_not_delivered_later() -> None:
    delivery = DirectFeed(changes_max=2, steps_per_turn=1)
    with delivery.watching() as watcher:
        delivery.publish(b"a", b"b")
        delivery.publish(b"c", b"d")
        assert not delivery.left_to(watcher)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (0,)
        await turns()
        assert delivery.keys == []


async def test_changes_dropped_for_those_of_another_table_are_not_delivered_later() -> None:
    delivery = DirectFeed(changes_max=3, steps_per_turn=1)
    other = Source(budget=delivery.budget)
    with delivery.watching() as watcher:
        delivery.publish(b"a", b"b")
        other.publish((0, b"c", b"1"), (0, b"d", b"1"))
        assert not delivery.left_to(watcher)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (0,)
        await turns()
        assert delivery.keys == []


async def test_watcher_that_leaves_during_a_delivery_gets_no_more() -> None:
    delivery = DirectFeed(steps_per_turn=1)
    with delivery.watching() as watcher:
        delivery.publish(b"a", b"b", b"c")
        await turns(3)
    assert 0 < len(delivery.keys) < 3
    before = list(delivery.keys)
    await turns(10)
    assert delivery.keys == before
    assert before + delivery.left_to(watcher) == [b"a", b"b", b"c"]


async def test_reset_or_close_wakes_every_watcher() -> None:
    delivery = DirectFeed()
    with delivery.watching() as watcher:
        delivery.feed.reset(Cursor(bytes(16), (9,)))
        await watcher.wait()
        assert not delivery.left_to(watcher)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (0,)
    with delivery.watching() as watcher:
        delivery.feed.close()
        await watcher.wait()
        with pytest.raises(Unavailable):
            delivery.left_to(watcher)
