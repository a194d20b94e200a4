"""Simulates the whole life of a home from a seed: its trace, and the first broken rule, if any."""

from aob.testing.world.exchange import simulate_exchange
from aob.testing.world.handover import simulate_handover
from aob.testing.world.options import Options, draw
from aob.testing.world.world import Report, simulate

__all__ = ["Options", "Report", "draw", "simulate", "simulate_exchange", "simulate_handover"]
