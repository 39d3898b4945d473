"""The leader epochs of fetched records (KIP-320)."""

from collections.abc import Iterable

from kvs_graphql.records import UNKNOWN_EPOCH, Epochs, Positions, epoch_in, position_in


class FetchedEpochs:
    """The leader epochs at the positions of one session, by the batches that were fetched.

    `leader_epochs` are those of the partitions' leaders during the session, the highest that a batch can have; without
    them, no epoch is known.
    """

    def __init__(self, leader_epochs: Epochs) -> None:
        self._leader_epochs = leader_epochs
        self._at: Epochs = ()
        self._newest: dict[int, int] = {}
        """The epoch of the newest batch of each partition."""
        self._ahead: list[tuple[int, int, int]] = []
        """Partition, offset and epoch of batches whose epoch is above that of the batch before, in order."""

    def begin(self, epochs: Epochs) -> None:
        """Start from the epochs at the table's positions."""
        if self._leader_epochs:
            self._at = tuple(epoch_in(epochs, p) for p in range(len(self._leader_epochs)))

    def add(self, partition: int, batches: Iterable[tuple[int, int]]) -> None:
        """Note the base offset and epoch of batches, in the order of their offsets."""
        newest, last = self._newest.get(partition, UNKNOWN_EPOCH), epoch_in(self._leader_epochs, partition)
        if newest >= last:
            return
        for offset, epoch in batches:
            if epoch > newest:
                self._ahead.append((partition, offset, epoch))
                newest = self._newest[partition] = epoch
                if epoch >= last:
                    return

    def at(self, positions: Positions) -> Epochs:
        """Return the epoch of what lies just below these positions, which only grow from call to call."""
        if self._ahead:
            at, ahead = list(self._at), []
            for partition, offset, epoch in self._ahead:
                if offset >= position_in(positions, partition):
                    ahead.append((partition, offset, epoch))
                else:
                    at[partition] = epoch
            self._at, self._ahead = tuple(at), ahead
        return self._at
