"""Removes ended runs from a home for good, with one record per removal. Never removes a live run."""

from aob.runs.removal.elsewhere import Part
from aob.runs.removal.judge import NEEDED, forked
from aob.runs.removal.prune import Prunes
from aob.runs.removal.sweep import GRACE_MS, Sweep, Sweeping, swept

__all__ = ["GRACE_MS", "NEEDED", "Part", "Prunes", "Sweep", "Sweeping", "forked", "swept"]
