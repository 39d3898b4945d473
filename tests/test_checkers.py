"""The checkers of subscriptions themselves: each catches what it is named for."""

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.feed import Kind, Update
from kvs_graphql.records import Interest, Positions, Record
from tests.checkers import ChangeLost, ClientView, CursorWentBack, Log, OrderViolated, TableDiffers

LOG = Log([[Record(b"a", b"%d" % offset, 0, offset, None, None) for offset in range(4)]], [4])
TOPIC_ID = bytes(16)


def change(offset: int, *, value: bytes | None = None, positions: Positions | None = None) -> Update:
    """The change at that offset, with another value or other positions than it has."""
    record = LOG.partitions[0][offset]._replace(value=value or b"%d" % offset)
    return Update(Kind.SET, Cursor(TOPIC_ID, (offset + 1,) if positions is None else positions), record)


def marker(kind: Kind, *positions: int) -> Update:
    return Update(kind, Cursor(TOPIC_ID, positions))


def view(*updates: Update) -> ClientView:
    """What a client has that begins at offset 1 and is told those."""
    view = ClientView(LOG, Interest())
    view.begin((1,))
    for update in updates:
        view.see(update)
    return view


def test_what_is_told_whole_passes() -> None:
    told = view(change(1), change(2), change(3))
    told.check_complete()
    assert told.table == {b"a": b"3"}


def test_what_was_conflated_may_be_left_out() -> None:
    view(marker(Kind.CONFLATED, 1), change(3), marker(Kind.LIVE, 4)).check_complete()


def test_a_change_that_comes_twice_is_noticed() -> None:
    with pytest.raises(OrderViolated):
        view(change(1), change(1))


def test_a_change_that_never_comes_is_noticed_even_where_a_later_one_covers_it() -> None:
    with pytest.raises(ChangeLost):
        view(change(1), change(3)).check_complete()


def test_another_table_than_that_of_the_cursor_is_noticed() -> None:
    with pytest.raises(TableDiffers):
        view(change(1, value=b"other"))
    with pytest.raises(TableDiffers):
        view(marker(Kind.PROGRESS, 2))


def test_a_cursor_that_goes_back_or_stands_elsewhere_is_noticed() -> None:
    with pytest.raises(CursorWentBack):
        view(change(1), marker(Kind.PROGRESS, 1))
    with pytest.raises(CursorWentBack):
        view(change(1, positions=(4,)))


def test_after_a_topic_was_created_again_its_new_log_counts() -> None:
    told = view(change(1), marker(Kind.RESET))
    told.turn_to(Log([[Record(b"b", b"1", 0, 0, None, None)]], [1]))
    told.see(Update(Kind.SNAPSHOT, Cursor(TOPIC_ID, (1,)), Record(b"b", b"1", 0, 0, None, None)))
    told.see(marker(Kind.LIVE, 1))
    assert told.table == {b"b": b"1"}
