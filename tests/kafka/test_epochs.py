"""The leader epochs of fetched batches, and what they tell about the log."""

import pytest

from kvs_graphql.kafka.epochs import FetchedEpochs
from kvs_graphql.kafka.recovery import cut_reason
from kvs_graphql.records import EpochEnd, Epochs


def test_epoch_is_that_of_the_last_batch_below_the_position() -> None:
    epochs = FetchedEpochs((4, 9))
    epochs.begin((2, -1))
    assert epochs.at((10, 0)) == (2, -1)
    epochs.add(0, [(10, 2), (12, 3), (15, 4), (18, 4)])
    epochs.add(1, [(0, 9)])
    assert epochs.at((12, 0)) == (2, -1)
    assert epochs.at((13, 1)) == (3, 9)
    assert epochs.at((15, 1)) == (3, 9)
    assert epochs.at((20, 1)) == (4, 9)


def test_batches_after_the_newest_epoch_are_not_looked_at() -> None:
    epochs = FetchedEpochs((4,))
    batches = iter([(0, 3), (1, 4), (2, 4), (3, 4)])
    epochs.add(0, batches)
    epochs.add(0, batches)
    assert list(batches) == [(2, 4), (3, 4)]


def test_no_epoch_is_known_where_the_broker_names_no_leader_epochs() -> None:
    epochs = FetchedEpochs(())
    epochs.begin((1,))
    epochs.add(0, [(0, 3)])
    assert epochs.at((9,)) == ()


@pytest.mark.parametrize(
    ("end", "cut"),
    [
        (EpochEnd(5, 100), False),
        (EpochEnd(5, 130), False),
        (EpochEnd(5, 50), True),
        (EpochEnd(4, 200), True),
        (EpochEnd(-1, -1), True),
    ],
    ids=["ended at the position", "ended later", "ended before", "never was", "is unknown"],
)
def test_log_was_cut_where_the_epoch_of_the_last_record_is_not_in_it_up_to_the_position(
    end: EpochEnd, cut: bool
) -> None:
    epochs: Epochs = (-1, 5)
    assert (cut_reason((7, 100), epochs, {1: end}) is not None) is cut
