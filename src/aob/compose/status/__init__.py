"""How a home or a cluster is: from its shards, its database, its numbers and its workers, to one answer."""

from aob.compose.status.status import Status
from aob.compose.status.viewpoint import seen_by

__all__ = ["Status", "seen_by"]
