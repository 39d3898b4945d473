"""The checkers of subscriptions: each one notices the fault that it is named for."""

import pytest

from kvs_graphql.cursor import Cursor
from kvs_graphql.feed import Kind, Update
from kvs_graphql.records import Interest, Positions, Record
from tests.checkers import (
    ChangeLost,
    ClientView,
    CursorWentBack,
    KindWrong,
    Log,
    OrderViolated,
    TableDiffers,
    Uninvited,
)

LOG = Log([[Record(b"a", b"%d" % offset, 0, offset, None, None) for offset in range(4)]], [4])
TOPIC_ID = bytes(16)
EVERYTHING = Interest()


def change(
    offset: int, *, value: bytes | None = None, positions: Positions | None = None, kind: Kind = Kind.SET
) -> Update:
    """The change at that offset, or a wrong one with another value, other positions or another kind."""
    record = LOG.partitions[0][offset]._replace(value=value or b"%d" % offset)
    return Update(kind, Cursor(TOPIC_ID, (offset + 1,) if positions is None else positions), record)


def marker(kind: Kind, *positions: int) -> Update:
    return Update(kind, Cursor(TOPIC_ID, positions))


def view(*updates: Update, interest: Interest = EVERYTHING) -> ClientView:
    """A client that begins at offset 1 and gets these updates."""
    view = ClientView(LOG, interest)
    view.begin((1,))
    for update in updates:
        view.see(update)
    return view


def test_complete_delivery_passes() -> None:
    client = view(change(1), change(2), change(3))
    client.check_complete()
    assert client.table == {b"a": b"3"}


def test_conflated_changes_may_be_left_out() -> None:
    view(marker(Kind.CONFLATED, 1), change(3), marker(Kind.LIVE, 4)).check_complete()


def test_change_delivered_twice_is_noticed() -> None:
    with pytest.raises(OrderViolated):
        view(change(1), change(1))


def test_lost_change_is_noticed_even_if_a_later_one_hides_it() -> None:
    with pytest.raises(ChangeLost):
        view(change(1), change(3)).check_complete()


def test_change_lost_before_a_conflation_is_noticed() -> None:
    with pytest.raises(ChangeLost):
        view(change(2), marker(Kind.CONFLATED, 3))


@pytest.mark.parametrize(
    "updates",
    [
        pytest.param([change(1, value=b"other")], id="wrong value"),
        pytest.param([marker(Kind.PROGRESS, 2)], id="progress past a change"),
        pytest.param([marker(Kind.CONFLATED, 1), marker(Kind.LIVE, 4)], id="live without the last change"),
    ],
)
def test_table_that_differs_from_the_log_is_noticed(updates: list[Update]) -> None:
    with pytest.raises(TableDiffers):
        view(*updates)


def test_cursor_that_goes_back_is_noticed() -> None:
    with pytest.raises(CursorWentBack, match="then"):
        view(change(1), marker(Kind.PROGRESS, 1))


def test_cursor_that_is_not_just_after_its_record_is_noticed() -> None:
    with pytest.raises(CursorWentBack, match="not just after"):
        view(change(1, positions=(4,)))


@pytest.mark.parametrize(
    "updates", [[change(1, kind=Kind.DELETE)], [change(1, kind=Kind.SNAPSHOT)]], ids=["delete of a value", "live"]
)
def test_update_of_a_wrong_kind_is_noticed(updates: list[Update]) -> None:
    with pytest.raises(KindWrong):
        view(*updates)


def test_snapshot_of_a_deleted_key_is_noticed() -> None:
    deleted = Update(Kind.SNAPSHOT, Cursor(TOPIC_ID, (2,)), Record(b"a", None, 0, 1, None, None))
    with pytest.raises(KindWrong):
        view(marker(Kind.RESET), deleted)


def test_change_of_a_key_that_was_not_subscribed_to_is_noticed() -> None:
    with pytest.raises(Uninvited):
        view(change(1), interest=Interest(keys=frozenset({b"b"})))


def test_log_of_a_recreated_topic_counts_after_the_reset() -> None:
    client = view(change(1), marker(Kind.RESET))
    client.switch_to(Log([[Record(b"b", b"1", 0, 0, None, None)]], [1]))
    client.see(Update(Kind.SNAPSHOT, Cursor(TOPIC_ID, (1,)), Record(b"b", b"1", 0, 0, None, None)))
    client.see(marker(Kind.LIVE, 1))
    assert client.table == {b"b": b"1"}
