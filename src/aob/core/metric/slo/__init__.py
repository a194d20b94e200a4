"""Good and bad minutes of an objective flow in; what is left of its budget, and how fast it burns, flow out."""

from aob.core.metric.slo.burn import rate_of, view_of
from aob.core.metric.slo.tiles import Tiles

__all__ = ["Tiles", "rate_of", "view_of"]
