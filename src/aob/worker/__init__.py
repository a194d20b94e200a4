"""The worker's side of the worker protocol: jobs come in over a stream, are performed by the pool of this process, and
their results go out until they are acknowledged. Keeps nothing; a lost process costs attempts, never work."""

from aob.worker.blobs import Values
from aob.worker.handlers import load, root_of
from aob.worker.hello import hello_of
from aob.worker.holding import Holding
from aob.worker.link import Link
from aob.worker.performing import Performing
from aob.worker.plan import DRAIN, DRAIN_S, Plan, Target, Told

__all__ = [
    "DRAIN",
    "DRAIN_S",
    "Holding",
    "Link",
    "Performing",
    "Plan",
    "Target",
    "Told",
    "Values",
    "hello_of",
    "load",
    "root_of",
]
