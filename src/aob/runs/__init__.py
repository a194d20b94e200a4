"""Runs at work: commands and results go in, records, jobs and answers come out."""

from aob.runs.core import Ambient, Core
from aob.runs.feed import Fact, Feed

__all__ = ["Ambient", "Core", "Fact", "Feed"]
