"""Commits of runs and of the gate flow in, the platform's own metrics flow out."""

from aob.metrics.platform.folding import Platform, platform_contracts

__all__ = ["Platform", "platform_contracts"]
