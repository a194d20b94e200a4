"""Performs jobs, to outputs or faults: a file for each kind of node whose work is done outside a decision."""

from aob.work.kinds.agent import perform as perform_agent
from aob.work.kinds.function import perform as perform_function
from aob.work.kinds.needs import needs_of, offers_of
from aob.work.kinds.notify import send
from aob.work.kinds.perform import barer, computer, performer, placer
from aob.work.kinds.table import KINDS_WORK, Performs

__all__ = [
    "KINDS_WORK", "Performs", "barer", "computer", "needs_of", "offers_of", "perform_agent", "perform_function",
    "performer", "placer", "send",
]  # fmt: skip
