"""What a record is named by: ids, partitions, positions. Data only."""

from aob.core.event.ids import PARTITION_COUNTS, PARTITIONS, derived_id, partition_of, seed_of, split_visit
from aob.core.event.message import HOME, Message, MessageMark
from aob.core.event.position import WHOLE, Position, Positions

__all__ = [
    "HOME",
    "PARTITIONS",
    "PARTITION_COUNTS",
    "WHOLE",
    "Message",
    "MessageMark",
    "Position",
    "Positions",
    "derived_id",
    "partition_of",
    "seed_of",
    "split_visit",
]
