"""Partitions that move between shards: the records of a move, and the history that moves."""

from aob.journal.partition.copying import copied_history
from aob.journal.partition.law import (
    Moving,
    PartitionLaw,
    PartitionMoved,
    PartitionTaken,
    head_of,
    place_of,
    row_data,
    row_elsewhere,
    stream_of,
)

__all__ = [
    "Moving", "PartitionLaw", "PartitionMoved", "PartitionTaken", "copied_history", "head_of", "place_of", "row_data",
    "row_elsewhere", "stream_of",
]  # fmt: skip
