"""Verbs of workers of other processes: a caller in, what one shard knows of workers and builds out."""

from aob.runs.fleet.fleet import Fleet, joined

__all__ = ["Fleet", "joined"]
