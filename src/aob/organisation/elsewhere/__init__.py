"""Records of a shard's agents go to workers of other processes; what those ask, and how a record ended, come back."""

from aob.organisation.elsewhere.giving_away import Elsewhere

__all__ = ["Elsewhere"]
