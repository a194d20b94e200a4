"""The worker's side of the worker protocol: jobs come in over a stream, are performed by the pool of this process, and
their results go out until they are acknowledged. Keeps nothing; a lost process costs attempts, never work. What
performs is imported on access: whoever keeps a worker process needs its plan only."""

from typing import TYPE_CHECKING, Any

from aob.worker.plan import DRAIN, DRAIN_S, Plan, Target, Told

if TYPE_CHECKING:
    from aob.worker.blobs import Values
    from aob.worker.handlers import load, root_of
    from aob.worker.hello import hello_of
    from aob.worker.holding import Holding
    from aob.worker.link import Link
    from aob.worker.performing import Performing

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

_LATER = {
    "Values": "blobs", "load": "handlers", "root_of": "handlers", "hello_of": "hello", "Holding": "holding",
    "Link": "link", "Performing": "performing",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'aob.worker' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"aob.worker.{_LATER[name]}"), name)
