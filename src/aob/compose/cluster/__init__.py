"""A process as a member of a cluster: which shards it owns, until when, and what it may do meanwhile."""

from aob.compose.cluster.answers import Door, Leased, unowned
from aob.compose.cluster.clock import StoreClock, steady_s
from aob.compose.cluster.guard import Guard, Right, barely_tenured, tenured
from aob.compose.cluster.holder import Held, Holder
from aob.compose.cluster.owning import owned

__all__ = [
    "Door", "Guard", "Held", "Holder", "Leased", "Right", "StoreClock", "barely_tenured", "owned",
    "steady_s", "tenured", "unowned",
]  # fmt: skip
