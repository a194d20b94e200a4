"""Performs nodes of built-in kinds in a worker process: jobs in, results out, under the settings and secrets of a
folder or of a cluster's store, and the egress rules of the home that it works for."""

from aob.compose.executor.executor import Executor, executing, offered

__all__ = ["Executor", "executing", "offered"]
