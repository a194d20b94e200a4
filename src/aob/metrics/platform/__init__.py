"""Commits of runs and of the gate flow in, the platform's own metrics flow out."""

from aob.metrics.platform.folding import Platform, mark_of, platform_contracts
from aob.metrics.platform.stretch import Runs, Stretch, stretches

__all__ = ["Platform", "Runs", "Stretch", "mark_of", "platform_contracts", "stretches"]
