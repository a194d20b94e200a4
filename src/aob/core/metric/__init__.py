"""Accepted events flow in; metrics by window and dimension, and the states of entities, flow out.

Rooms inside: `fold` with its `cube` of tiles and `span` of time, `sketch`, `subject`, `entity`, `alert`, `slo`.
"""

from aob.core.metric.cube import NeedsScan
from aob.core.metric.entity import Entities
from aob.core.metric.fold import Fold, Moved, Reading

__all__ = ["Entities", "Fold", "Moved", "NeedsScan", "Reading"]
