"""Folds accepted events into metrics by window and dimension, and into the states of entities. `fold` holds `cube`s of
`tile`s whose `cell`s keep counts, sums or sketches, and `subject`s with their `history`; a query asks for a `span` of
time. `entity` and `slo` are independent; `alert` evaluates rules on metric values."""

from aob.core.metric.entity import Change, Changes, Entities
from aob.core.metric.fold import Fold, Moved, Reading, Restatement
from aob.core.metric.sketch import warm
from aob.core.metric.slo import SloTiles, rate_of, view_of
from aob.core.metric.tile import NeedsScan

__all__ = [
    "Change", "Changes", "Entities", "Fold", "Moved", "NeedsScan", "Reading", "Restatement", "SloTiles",
    "rate_of", "view_of", "warm",
]  # fmt: skip
