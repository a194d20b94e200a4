"""Which rows of an epoch count when a commit of it has failed."""

from aob.journal.epochs import Epochs


def lost_at(row: int) -> Epochs:
    """An owner under the epoch 1, of which a commit failed after this row was known to be durable."""
    epochs = Epochs()
    epochs.taken(1)
    assert epochs.counts(1, 99), "what is in memory counts"
    epochs.lost(row)
    epochs.taken(2)
    return epochs


def test_until_the_store_was_read_only_what_is_known_to_be_durable_counts() -> None:
    epochs = lost_at(5)
    assert [epochs.counts(1, row) for row in (5, 6)] == [True, False]
    assert epochs.counts(0, 99), "what depends on no commit"


def test_what_is_read_was_written_if_nobody_else_had_the_shard() -> None:
    epochs = lost_at(5)
    epochs.read(6)
    assert [epochs.counts(1, row) for row in (6, 7)] == [True, False]


def test_rows_of_another_owner_are_not_ours() -> None:
    epochs = Epochs()
    epochs.taken(1)
    epochs.lost(5)
    epochs.taken(3)
    epochs.read(9)
    assert [epochs.counts(1, row) for row in (5, 6)] == [True, False]
    assert epochs.counts(3, 9)
