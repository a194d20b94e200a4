"""Folds accepted events into metrics (`fold`) and states of entities (`entity`); evaluates objectives and alerts."""

from aob.core.metric.entity import Change, Changes, Entities
from aob.core.metric.fold import Fold, Reading, Restatement
from aob.core.metric.metric_tests import try_contracts
from aob.core.metric.sketch import warm
from aob.core.metric.slo import SloTiles, rate_of, view_of
from aob.core.metric.tile import NeedsScan

__all__ = [
    "Change", "Changes", "Entities", "Fold", "NeedsScan", "Reading", "Restatement", "SloTiles",
    "rate_of", "try_contracts", "view_of", "warm",
]  # fmt: skip
