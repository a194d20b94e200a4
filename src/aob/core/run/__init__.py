"""The law of a run: commands go in, events come out, and the state is what the events say. Pure."""

from aob.core.run.decide import decide, hop
from aob.core.run.events import decode_events, encode_events
from aob.core.run.evolve import evolve, fold
from aob.core.run.pending import pending
from aob.core.run.state import Run
from aob.core.run.step import Given, Needs

__all__ = [
    "Given",
    "Needs",
    "Run",
    "decide",
    "decode_events",
    "encode_events",
    "evolve",
    "fold",
    "hop",
    "pending",
]
