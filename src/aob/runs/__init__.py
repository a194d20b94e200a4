"""Runs at work: turns commands and results into records, jobs and answers."""

from aob.runs.core import Ambient, Core, RunIds
from aob.runs.engine import Engine
from aob.runs.feed import Fact, Feed
from aob.runs.recorded import history, told
from aob.runs.starts import Meant, keyed_id, names_of

__all__ = ["Ambient", "Core", "Engine", "Fact", "Feed", "Meant", "RunIds", "history", "keyed_id", "names_of", "told"]
