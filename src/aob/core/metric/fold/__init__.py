"""Accepted events flow in, the numbers that contracts declare flow out: folded into cells, read by window.

Nothing here knows the time or a disk: both are told.
"""

from aob.core.metric.fold.feed import Many
from aob.core.metric.fold.fold import Fold, Moved
from aob.core.metric.fold.reading import Reading
from aob.core.metric.fold.restating import Restatement

__all__ = ["Fold", "Many", "Moved", "Reading", "Restatement"]
