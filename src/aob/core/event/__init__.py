"""What a record is made of: ids, values and their hashes, positions. Data only."""

from aob.core.event.ids import derived_id, partition_of, split_visit
from aob.core.event.position import WHOLE, Position, Positions
from aob.core.event.value import Ref, canonical, decode, digest_of

__all__ = [
    "WHOLE",
    "Position",
    "Positions",
    "Ref",
    "canonical",
    "decode",
    "derived_id",
    "digest_of",
    "partition_of",
    "split_visit",
]
