"""Ids, partitions, positions and messages of records. Data only."""

from aob.core.event.ids import PARTITIONS, derived_id, held_id, holder_of, partition_of, seed_of
from aob.core.event.message import HOME, Message, MessageMark
from aob.core.event.position import WHOLE, Position, Positions

__all__ = [
    "HOME", "PARTITIONS", "WHOLE", "Message", "MessageMark", "Position", "Positions", "derived_id", "held_id",
    "holder_of", "partition_of", "seed_of",
]  # fmt: skip
