"""What is to go from a store in, one record and its removal in one commit out: the journal's own law of removals."""

from aob.journal.removal.law import PREFIX, RemovalLaw, Removals, Remove, Settle, StreamsRemoved, ValuesRemoved

__all__ = ["PREFIX", "RemovalLaw", "Removals", "Remove", "Settle", "StreamsRemoved", "ValuesRemoved"]
