"""Decides which rows still count, by epoch: drops what rests on a lost or foreign commit."""

from aob.core.errors import Unavailable
from aob.ports.store import StaleEpoch


class Epochs:
    """The epochs of one owner. `now` is the current one; all its rows count while its memory is valid."""

    def __init__(self) -> None:
        self.now = 0
        self._lost = self._takes = 0
        self._through: dict[int, int] = {}  # the last row that counts of each epoch whose memory was dropped

    def taken(self, epoch: int) -> None:
        """This process owns the shard under this epoch."""
        self.now = epoch
        self._takes += 1

    def read(self, row: int) -> None:
        """Everything up to a row was recovered. If no other process had the shard in between, all those rows are
        ours."""
        if self.now == self._lost + self._takes:
            self._through[self._lost] = row

    def lost(self, durable_row: int) -> None:
        """A commit failed: of this epoch only rows known to be durable count, for now."""
        self._lost, self._takes, self._through[self.now] = self.now, 0, durable_row

    def counts(self, epoch: int, row: int) -> bool:
        """Whether a row of an epoch counts: it is in memory, or durable as decided. Epoch 0 depends on nothing."""
        return epoch == self.now or not epoch or row <= self._through.get(epoch, -1)


def fenced(answer: StaleEpoch, mine: int) -> Unavailable:
    """The error when another process owns the shard."""
    return Unavailable(f"another process took this shard (epoch {answer.held_epoch}, mine {mine})", code="stale_epoch")


def went_back(shard: int, row: int, durable_row: int) -> Unavailable:
    """The error when the store lacks rows that it acknowledged."""
    return Unavailable(
        f"shard {shard} went back: its last row is {row}, and row {durable_row} was acknowledged",
        code="store_went_back",
        hint="the store lost commits (a fail-over or a restored backup): bring back the one that has them",
    )  # fmt: skip
