"""Folds accepted events into the metrics that contracts declare. No clock and no I/O: the caller passes both."""

from aob.core.metric.fold.column import holds
from aob.core.metric.fold.feed import Many
from aob.core.metric.fold.fold import Fold
from aob.core.metric.fold.reading import Reading
from aob.core.metric.fold.restating import Restatement

__all__ = ["Fold", "Many", "Reading", "Restatement", "holds"]
