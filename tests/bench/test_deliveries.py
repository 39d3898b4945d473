"""What a subscriber counts, and what it goes by."""

from bench.data import VALUE_BYTES, read_stamp, stamped
from bench.load.deliveries import Deliveries, Wanted
from bench.schedule import Schedule

SAME = Wanted(subscriptions=2, first_key=5, keys=2, same=True)
OWN = Wanted(subscriptions=200, first_key=0, keys=1, same=False)


def test_all_of_it_in_order_is_complete() -> None:
    deliveries = Deliveries(SAME, run=1, expected=8)
    for number in range(2):
        for subscription in range(2):
            for key_number in (5, 6):
                assert not deliveries.complete
                deliveries.add(subscription, 1, key_number, number, latency_us=2_000)
    told = deliveries.told()
    assert deliveries.complete
    assert (told["missing"], told["lost"], told["repeated"], told["strays"]) == (0, 0, 0, 0)
    assert (told["p50_ms"], told["least_latest"]) == (2.0, 1)


def test_a_gap_is_a_loss_and_a_step_back_a_repeat() -> None:
    deliveries = Deliveries(SAME, run=1, expected=4)
    for number in (0, 3, 3, 1):
        deliveries.add(0, 1, 5, number, latency_us=1)
    told = deliveries.told()
    assert (told["deliveries"], told["missing"], told["lost"], told["repeated"]) == (2, 2, 2, 2)


def test_an_update_over_a_socket_that_did_not_ask_for_it_is_a_stray() -> None:
    deliveries = Deliveries(OWN, run=1, expected=2)
    deliveries.add(100, 100, 150, 0, latency_us=1)
    deliveries.add(100, 100, 99, 0, latency_us=1)
    assert deliveries.told()["strays"] == 1


def test_subscriptions_that_had_an_update_are_counted_once() -> None:
    deliveries = Deliveries(SAME, run=1, expected=4)
    deliveries.add(0, 1, 5, 0, latency_us=1)
    deliveries.add(0, 1, 6, 0, latency_us=1)
    assert deliveries.seen() == 1


def test_a_stamp_is_read_back_wherever_it_stands() -> None:
    value = stamped(12, 345, 6789)
    assert len(value) == VALUE_BYTES
    text = b'{"value":"' + value + b'"}'
    assert read_stamp(text, text.find(b"@"))[:3] == (12, 345, 6789)


def test_a_timetable_numbers_the_updates_of_each_key() -> None:
    schedule = Schedule(run=1, first_key=7, keys=2, updates=5, updates_per_tick=2, ticks_per_second=10)
    assert list(schedule.ticks()) == [
        (0.0, [(7, 0), (8, 0)]),
        (0.1, [(7, 1), (8, 1)]),
        (0.2, [(7, 2)]),
    ]
    assert schedule.seconds == 0.3
