"""Messages between streams: sent ones become numbered rows of a pair of partitions; each counts once on receipt."""

from aob.journal.messages.pairs import Arrival, Delivery, Mail, Outgoing, Pair, Pairs, standing

__all__ = ["Arrival", "Delivery", "Mail", "Outgoing", "Pair", "Pairs", "standing"]
