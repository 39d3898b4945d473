"""Denials are told to a listener, each of them, and to the log now and then, without any key."""

from collections import Counter

import pytest
from structlog.testing import capture_logs

from kvs_graphql.access import Access, Grants, Verb
from kvs_graphql.records import Interest
from kvs_graphql.service.denials import Denials

ANN = Access("ann", Grants(frozenset()))
MINE = (b"mine/",)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_denial_is_counted_and_the_log_has_a_line_a_second_with_the_number_of_the_others() -> None:
    clock, counted = Clock(), Counter[Verb]()
    denials = Denials("orders", clock)
    denials.listen(lambda verb: counted.update([verb]))
    with capture_logs() as logged:
        for _ in range(100):
            denials.add(ANN, Verb.READ)
        clock.now = 1.0
        denials.add(ANN, Verb.WRITE)
    assert counted == {Verb.READ: 100, Verb.WRITE: 1}
    line = {"event": "denied", "log_level": "info", "principal": "ann", "table": "orders"}
    assert logged == [line | {"verb": "read", "not_logged": 0}, line | {"verb": "write", "not_logged": 99}]


@pytest.mark.parametrize(
    ("interest", "number"),
    [
        (Interest(), 0),
        (Interest(None, b""), 0),
        (Interest(None, b"mine"), 0),
        (Interest(None, b"mine/a"), 0),
        (Interest(None, b"theirs"), 1),
        (Interest(frozenset([b"mine/a"])), 0),
        (Interest(frozenset([b"mine/a", b"theirs/a", b"theirs/b"])), 1),
        (Interest(frozenset([b"theirs/a"]), b"theirs/"), 2),
        (Interest(frozenset([b"mine/a"]), b"mine/"), 0),
    ],
)
def test_watch_of_what_may_be_read_is_no_denial(interest: Interest, number: int) -> None:
    counted: list[Verb] = []
    denials = Denials("")
    denials.listen(counted.append)
    denials.add_interest(ANN, MINE, interest)
    assert counted == [Verb.READ] * number


def test_nothing_may_be_read_without_a_prefix() -> None:
    counted: list[Verb] = []
    denials = Denials("")
    denials.listen(counted.append)
    denials.add_keys(ANN, (), [b"a", b"b"])
    denials.add_prefix(ANN, (), b"")
    denials.add_interest(ANN, (), Interest())
    assert counted == [Verb.READ] * 3
