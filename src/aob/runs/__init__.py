"""Runs at work: commands and results go in, records, jobs and answers come out."""

from aob.runs.core import Ambient, Core
from aob.runs.engine import Engine
from aob.runs.feed import Fact, Feed
from aob.runs.history import history

__all__ = ["Ambient", "Core", "Engine", "Fact", "Feed", "history"]
