"""The count of deliveries, the stamps that it reads, and the schedule that it follows."""

from bench.data import VALUE_BYTES, read_stamp, stamped
from bench.load.deliveries import Deliveries, Wanted
from bench.schedule import Schedule

SAME = Wanted(subscriptions=2, first_key=5, keys=2, same=True)
OWN = Wanted(subscriptions=200, first_key=0, keys=1, same=False)


def test_a_run_is_complete_when_every_update_has_arrived_in_order() -> None:
    deliveries = Deliveries(SAME, run=1, expected=8)
    for number in range(2):
        for subscription in range(2):
            for key_number in (5, 6):
                assert not deliveries.complete
                deliveries.add(subscription, 1, key_number, number, latency_us=2_000)
    summary = deliveries.summary()
    assert deliveries.complete
    assert (summary["missing"], summary["lost"], summary["repeated"], summary["strays"]) == (0, 0, 0, 0)
    assert (summary["p50_ms"], summary["least_latest"]) == (2.0, 1)


def test_a_gap_counts_as_lost_and_a_step_back_as_repeated() -> None:
    deliveries = Deliveries(SAME, run=1, expected=4)
    for number in (0, 3, 3, 1):
        deliveries.add(0, 1, 5, number, latency_us=1)
    summary = deliveries.summary()
    assert (summary["deliveries"], summary["missing"], summary["lost"], summary["repeated"]) == (2, 2, 2, 2)


def test_an_update_on_a_connection_that_did_not_subscribe_to_it_is_a_stray() -> None:
    deliveries = Deliveries(OWN, run=1, expected=2)
    deliveries.add(100, 100, 150, 0, latency_us=1)
    deliveries.add(100, 100, 99, 0, latency_us=1)
    assert deliveries.summary()["strays"] == 1


def test_each_updated_subscription_is_counted_once() -> None:
    deliveries = Deliveries(SAME, run=1, expected=4)
    deliveries.add(0, 1, 5, 0, latency_us=1)
    deliveries.add(0, 1, 6, 0, latency_us=1)
    assert deliveries.updated_subscriptions() == 1


def test_a_stamp_can_be_read_anywhere_in_a_message() -> None:
    value = stamped(12, 345, 6789)
    assert len(value) == VALUE_BYTES
    text = b'{"value":"' + value + b'"}'
    assert read_stamp(text, text.find(b"@"))[:3] == (12, 345, 6789)


def test_a_schedule_numbers_the_updates_of_each_key() -> None:
    schedule = Schedule(run=1, first_key=7, keys=2, updates=5, updates_per_tick=2, ticks_per_second=10)
    assert list(schedule.ticks()) == [
        (0.0, [(7, 0), (8, 0)]),
        (0.1, [(7, 1), (8, 1)]),
        (0.2, [(7, 2)]),
    ]
    assert schedule.seconds == 0.3
