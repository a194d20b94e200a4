"""Ended runs go out of a home for good: what was asked for in, a record a removal out. Never a run that lives."""

from aob.runs.removal.prune import Prunes
from aob.runs.removal.sweep import GRACE_MS, Sweep, Sweeping, swept

__all__ = ["GRACE_MS", "Prunes", "Sweep", "Sweeping", "swept"]
