"""The journal's law of removals: the record of a removal and the removal itself are one commit."""

from aob.journal.removal.law import PREFIX, RemovalLaw, Removals, Remove, Settle, StreamsRemoved, ValuesRemoved

__all__ = ["PREFIX", "RemovalLaw", "Removals", "Remove", "Settle", "StreamsRemoved", "ValuesRemoved"]
