"""A seed goes in, a whole life of a home comes out: its trace, and the first rule that did not hold, if any."""

from aob.testing.world.exchange import simulate_exchange
from aob.testing.world.options import Options, draw
from aob.testing.world.world import Report, simulate

__all__ = ["Options", "Report", "draw", "simulate", "simulate_exchange"]
