"""Messages between streams: what laws send becomes numbered rows of a pair of partitions; what arrives counts once."""

from aob.journal.messages.pairs import (
    Arrival,
    Delivery,
    Mail,
    Outgoing,
    Pair,
    Pairs,
    standing,
)

__all__ = ["Arrival", "Delivery", "Mail", "Outgoing", "Pair", "Pairs", "standing"]
