"""Runs at work: turns commands and results into records, jobs and answers."""

from aob.runs.core import Ambient, Core, RunIds, base32
from aob.runs.engine import Engine
from aob.runs.feed import Fact
from aob.runs.recorded import history, told
from aob.runs.starts import StartTarget, keyed_id, names_of

__all__ = [
    "Ambient",
    "Core",
    "Engine",
    "Fact",
    "RunIds",
    "StartTarget",
    "base32",
    "history",
    "keyed_id",
    "names_of",
    "told",
]
