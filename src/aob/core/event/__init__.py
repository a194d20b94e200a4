"""What a record is made of: ids, values and their hashes, positions. Data only."""

from aob.core.event.ids import RunId, TicketId, Visit, derived_id, partition_of, split_visit
from aob.core.event.position import Position
from aob.core.event.value import Cell, Ref, canonical, decode, digest_of

__all__ = [
    "Cell",
    "Position",
    "Ref",
    "RunId",
    "TicketId",
    "Visit",
    "canonical",
    "decode",
    "derived_id",
    "digest_of",
    "partition_of",
    "split_visit",
]
