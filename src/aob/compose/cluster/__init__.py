"""A process as a member of a cluster: which shards it owns, until when, and what it may do meanwhile."""

from aob.compose.cluster.clock import StoreClock, steady_s
from aob.compose.cluster.guard import Guard, barely_tenured, tenured
from aob.compose.cluster.holder import Held, Holder, Part
from aob.compose.cluster.owning import OwnedCore, owned

__all__ = [
    "Guard", "Held", "Holder", "OwnedCore", "Part", "StoreClock", "barely_tenured", "owned", "steady_s", "tenured",
]  # fmt: skip
