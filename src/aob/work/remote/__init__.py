"""Leases jobs to workers of other processes: jobs and frames of workers in, results and frames to them out.

Needs the extra `grpc`."""

from aob.work.remote.guard import Guard
from aob.work.remote.jobs import job_of
from aob.work.remote.lease import Asked, Lease, Line, Owner
from aob.work.remote.owner import RemoteWorkers
from aob.work.remote.requests import Requests
from aob.work.remote.sending import Sending
from aob.work.remote.worker import Worker, check_hello
from aob.work.remote.workers import Hub

__all__ = [
    "Asked", "Guard", "Hub", "Lease", "Line", "Owner", "RemoteWorkers", "Requests", "Sending", "Worker", "check_hello",
    "job_of",
]  # fmt: skip
