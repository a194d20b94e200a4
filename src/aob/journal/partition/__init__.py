"""Partitions that leave a shard and come to another: the records of it, and the history that goes with them."""

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
    written_here,
)

__all__ = [
    "Moving", "PartitionLaw", "PartitionMoved", "PartitionTaken", "copied_history", "head_of", "place_of", "row_data",
    "row_elsewhere", "stream_of", "written_here",
]  # fmt: skip
