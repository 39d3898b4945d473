"""Watchers that are told at once: everything, in order, once; and those that cannot be go on by themselves."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.errors import Unavailable
from kvs_graphql.feed import Feed, Flush, Sink, Update, Watcher, WatcherState
from kvs_graphql.records import Commit, Interest, Record

EVERYTHING = Interest()


class Told:
    """Whom a feed of one partition tells at once, for as long as there is room."""

    def __init__(self, *, changes_max: int = 1_000, steps_per_turn: int = 1_000) -> None:
        self.feed = Feed(
            Cursor(bytes(16), (0,)), changes_max=changes_max, bytes_max=10**6, steps_per_turn=steps_per_turn
        )
        self.keys: list[bytes] = []
        self.room = 1_000
        self.value = b"v"
        self._unsent: list[bytes] = []

    def publish(self, *keys: bytes) -> None:
        """One commit."""
        (start,) = self.feed.positions
        changes = [Record(key, self.value, 0, start + number, None, None) for number, key in enumerate(keys)]
        self.feed.publish(Commit((start,), (start + len(keys),), changes, len(keys)))

    @property
    def push(self) -> Sink:
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
        with self.feed.watch(interest, self.feed.positions) as watcher, watcher.direct(self.push):
            yield watcher

    def rest(self, watcher: Watcher) -> list[bytes]:
        """What the watcher has to take by itself."""
        return [update.record.key for update in watcher.take(100) if update.record is not None]


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
async def test_it_is_told_what_it_is_interested_in_once_and_is_not_woken(interest: Interest, keys: list[bytes]) -> None:
    told = Told()
    with told.watching(interest) as watcher:
        waiting = asyncio.create_task(watcher.wait())
        told.publish(b"a", b"p/1")
        told.publish(b"a", b"b")
        await turns()
        assert told.keys == keys
        assert not waiting.done()
        waiting.cancel()
    assert told.rest(watcher) == []
    assert watcher.positions == (4,)


async def test_with_no_room_it_is_woken_and_takes_the_rest_itself_from_within_a_commit_on() -> None:
    told = Told()
    told.room = 3
    with told.watching() as watcher:
        waiting = asyncio.create_task(watcher.wait())
        told.publish(b"a", b"b")
        told.publish(b"c", b"d")
        told.publish(b"e")
        await waiting
        assert told.keys == [b"a", b"b", b"c"]
        assert told.rest(watcher) == [b"d", b"e"]


async def test_an_update_that_cannot_be_shown_comes_again_where_it_is_taken() -> None:
    told = Told()

    def fail(_: Update) -> bytes:
        raise ValueError

    with told.feed.watch(EVERYTHING, (0,)) as watcher, watcher.direct(Sink(fail, lambda _: lambda: None)):
        told.publish(b"a")
        await watcher.wait()
        assert told.rest(watcher) == [b"a"]


async def test_whoever_joins_while_others_are_still_told_is_not_told_of_what_it_has_taken() -> None:
    early, late = Told(steps_per_turn=1), Told()
    with early.watching():
        early.publish(b"a", b"b", b"c")
        with early.feed.watch(EVERYTHING, (0,)) as watcher:
            assert late.rest(watcher) == [b"a", b"b", b"c"]
            with watcher.direct(late.push):
                early.publish(b"d")
                await turns(20)
        assert early.keys == [b"a", b"b", b"c", b"d"]
        assert late.keys == [b"d"]


async def test_others_have_their_turn_while_many_are_told() -> None:
    told = Told(steps_per_turn=1)
    with told.watching():
        told.publish(*[b"%d" % number for number in range(100)])
        await turns(10)
        assert 0 < len(told.keys) < 30


async def test_large_values_end_a_turn_for_they_are_in_memory_until_then() -> None:
    told = Told(steps_per_turn=100)
    told.value = bytes(400_000)
    with told.watching():
        told.publish(b"a", b"b", b"c")
        await turns(1)
        assert told.keys == [b"a"]
        await turns()
        assert told.keys == [b"a", b"b", b"c"]


async def test_what_is_told_in_a_turn_is_sent_together_before_anybody_else_has_a_turn() -> None:
    sent: list[int] = []
    pushed: list[bytes] = []

    def push(key: bytes) -> Flush | None:
        pushed.append(key)
        return (lambda: sent.append(len(pushed))) if len(pushed) <= 3 else None

    told = Told()
    with told.feed.watch(EVERYTHING, (0,)) as watcher, watcher.direct(Sink(key_of, push)):
        waiting = asyncio.create_task(watcher.wait())
        await turns(1)
        told.publish(b"a", b"b", b"c", b"d")
        waiting.add_done_callback(lambda _: sent.append(0))
        await waiting
        await turns(1)
    assert sent == [4, 4, 4, 0]


async def test_what_one_cannot_be_sent_others_are() -> None:
    told = Told()
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def fail() -> None:
        raise ConnectionError

    with told.feed.watch(EVERYTHING, (0,)) as broken, broken.direct(Sink(key_of, lambda _: fail)), told.watching():
        told.publish(b"a", b"b")
        await turns()
    assert told.keys == [b"a", b"b"]
    assert [type(error) for error in reported] == [ConnectionError, ConnectionError]


async def test_what_the_log_drops_before_it_was_told_is_not_kept() -> None:
    told = Told(changes_max=2, steps_per_turn=1)
    with told.watching() as watcher:
        told.publish(b"a", b"b")
        told.publish(b"c", b"d")
        assert not told.rest(watcher)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (0,)
        await turns()
        assert told.keys == []


async def test_whoever_leaves_in_the_middle_is_told_no_more() -> None:
    told = Told(steps_per_turn=1)
    with told.watching() as watcher:
        told.publish(b"a", b"b", b"c")
        await turns(3)
    assert 0 < len(told.keys) < 3
    before = list(told.keys)
    await turns(10)
    assert told.keys == before
    assert before + told.rest(watcher) == [b"a", b"b", b"c"]


async def test_a_feed_that_begins_again_or_closes_wakes_everybody() -> None:
    told = Told()
    with told.watching() as watcher:
        told.feed.reset(Cursor(bytes(16), (9,)))
        await watcher.wait()
        assert not told.rest(watcher)
        assert watcher.state is WatcherState.FELL_BEHIND
        assert watcher.positions == (0,)
    with told.watching() as watcher:
        told.feed.close()
        await watcher.wait()
        with pytest.raises(Unavailable):
            told.rest(watcher)
