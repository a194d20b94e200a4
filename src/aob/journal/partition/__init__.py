"""Partitions that move between shards: the records of a move, and the history that moves."""

from aob.journal.partition.copying import copied_history
from aob.journal.partition.law import (
    Moving,
    PartitionLaw,
    PartitionMoved,
    PartitionTaken,
    Step,
    place_of,
    row_elsewhere,
)
from aob.journal.partition.moves import Moves

__all__ = [
    "Moves", "Moving", "PartitionLaw", "PartitionMoved", "PartitionTaken", "Step", "copied_history", "place_of",
    "row_elsewhere",
]  # fmt: skip
