"""Accepted events in; metrics by window and dimension, and the states of entities, out.

`fold` is the whole of it: `cube`s of `tile`s whose `cell`s count, add up or keep a sketch, `subject`s with their
`history`, `span`s of time to ask for. `entity` and `slo` stand by themselves; `alert` judges what a metric says.
"""

from aob.core.metric.entity import Change, Changes, Entities
from aob.core.metric.fold import Fold, Moved, Reading, Restatement
from aob.core.metric.sketch import warm
from aob.core.metric.slo import SloTiles, rate_of, view_of
from aob.core.metric.tile import NeedsScan

__all__ = [
    "Change", "Changes", "Entities", "Fold", "Moved", "NeedsScan", "Reading", "Restatement", "SloTiles",
    "rate_of", "view_of", "warm",
]  # fmt: skip
