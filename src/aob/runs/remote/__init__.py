"""Jobs of runs that go to workers of other processes: a hub of workers in, the port `Workers` for all jobs out.

Needs the extra `grpc`."""

from aob.runs.remote.workers import BothWorkers, connect

__all__ = ["BothWorkers", "connect"]
