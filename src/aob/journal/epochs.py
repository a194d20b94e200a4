"""Which rows still count, epoch by epoch: what rests on a commit that was lost, or that is not ours, is dropped.

In: when this owner took its shard, what it lost and what it read back. Out: whether a row of an epoch counts.
"""

from aob.core.errors import Unavailable
from aob.ports.store import StaleEpoch


class Epochs:
    """The epochs of one owner. `now` is the one that it holds; all its rows count, as long as its memory stands."""

    def __init__(self) -> None:
        self.now = 0
        self._lost = self._takes = 0
        self._through: dict[int, int] = {}
        """The last row that counts, of each epoch whose memory was dropped."""

    def taken(self, epoch: int) -> None:
        """The shard is ours, under this epoch."""
        self.now = epoch
        self._takes += 1

    def read(self, row: int) -> None:
        """All was read back up to a row. Where nobody else had the shard meanwhile, we have written each of them."""
        if self.now == self._lost + self._takes:
            self._through[self._lost] = row

    def lost(self, durable_row: int) -> None:
        """A commit failed: of what this epoch has decided only that counts which is known to be durable, so far."""
        self._lost, self._takes, self._through[self.now] = self.now, 0, durable_row

    def counts(self, epoch: int, row: int) -> bool:
        """Whether what rests on a row of an epoch counts: the row is in memory, or in the journal as it was decided.
        Epoch 0 is that of what rests on nothing that could be lost."""
        return epoch == self.now or not epoch or row <= self._through.get(epoch, -1)


def fenced(answer: StaleEpoch, mine: int) -> Unavailable:
    """Another process has the shard now."""
    return Unavailable(f"another process took this shard (epoch {answer.held_epoch}, mine {mine})", code="stale_epoch")
