"""Rows beside events: state that is written over, in the commits and with the partitions of a shard."""

from aob.journal.entries.law import MEMORY, PREFIXES, THREAD, Enter, EntryLaw

__all__ = ["MEMORY", "PREFIXES", "THREAD", "Enter", "EntryLaw"]
