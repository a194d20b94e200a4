"""Commits of runs and of the gate flow in, the platform's own metrics flow out."""

from aob.metrics.platform.folding import JOURNAL, Platform, platform_contracts

__all__ = ["JOURNAL", "Platform", "platform_contracts"]
