"""The platform's own metrics, from commits of runs and of the gate."""

from aob.metrics.platform.folding import Platform, mark_of, platform_contracts
from aob.metrics.platform.run_events import Remembered, Telling
from aob.metrics.platform.slices import Runs, Slice, stretches

__all__ = [
    "Platform", "Remembered", "Runs", "Slice", "Telling", "mark_of", "platform_contracts", "stretches",
]  # fmt: skip
