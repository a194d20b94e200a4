"""Runs at work: commands and results go in, records, jobs and answers come out."""

from aob.runs.core import Ambient, Core, RunIds
from aob.runs.engine import Engine
from aob.runs.feed import Fact, Feed
from aob.runs.history import history
from aob.runs.starts import keyed_id

__all__ = ["Ambient", "Core", "Engine", "Fact", "Feed", "RunIds", "history", "keyed_id"]
