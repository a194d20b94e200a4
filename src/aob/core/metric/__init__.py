"""Accepted events flow in; metrics by window and dimension, and the states of entities, flow out.

Rooms inside: `fold` with its `cube` of tiles and `span` of time, `sketch`, `subject`, `entity`, `alert`, `slo`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aob.core.metric.cube import NeedsScan
    from aob.core.metric.entity import Entities
    from aob.core.metric.fold import Fold, Moved, Reading, Restatement

__all__ = ["Entities", "Fold", "Moved", "NeedsScan", "Reading", "Restatement"]

_FROM = {
    "Entities": "aob.core.metric.entity",
    "Fold": "aob.core.metric.fold",
    "Moved": "aob.core.metric.fold",
    "NeedsScan": "aob.core.metric.cube",
    "Reading": "aob.core.metric.fold",
    "Restatement": "aob.core.metric.fold",
}
"""Loaded when they are asked for: a client reads the shapes of answers here, and folds nothing."""


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module 'aob.core.metric' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_FROM[name]), name)
