"""The databases of a cluster that has several: a shard goes verbatim from one to another, by the owners' URLs; lists
are read from replicas."""

from aob.backends.postgres.servers.moving import STEPS, Moved, move_shard
from aob.backends.postgres.servers.replica import Replica

__all__ = ["STEPS", "Moved", "Replica", "move_shard"]
