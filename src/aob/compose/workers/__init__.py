"""Workers of other processes for a home: makes the hub, and serves its port. A setting in, a listening address out."""

from aob.compose.workers.attached import all_fronts, all_queues, all_workers, queues_of, workers_of
from aob.compose.workers.certificate import certificate_of, told_address
from aob.compose.workers.gateway import Gateway, make_gateway, not_installed, verbs_of

__all__ = [
    "Gateway", "all_fronts", "all_queues", "all_workers", "certificate_of", "make_gateway", "not_installed",
    "queues_of", "told_address", "verbs_of", "workers_of",
]  # fmt: skip
