"""The platform's own metrics, from commits of runs and of the gate."""

from aob.metrics.platform.folding import Platform, mark_of, platform_contracts
from aob.metrics.platform.stretch import Runs, Stretch, stretches
from aob.metrics.platform.telling import Remembered, Telling

__all__ = [
    "Platform", "Remembered", "Runs", "Stretch", "Telling", "mark_of", "platform_contracts", "stretches",
]  # fmt: skip
